"""Reads from the words of a session what its lookalike audience shall be by now: the newest word on a matter counts.

It knows everyday ways to say it. Where words touch a matter in a way it does not know, the answer is None: a check
that depends on it is then not run, which is never a pass and never a rejection.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent\b|per cent\b)", re.IGNORECASE)
#: A number that is named because it shall not be.
_OLD = re.compile(
    r"\b(?:instead of|rather than|not|from|was|were)\s+(?:the\s+|a\s+)?" + _PERCENT.pattern, re.IGNORECASE
)
_HOLDOUT = re.compile(r"\bhold[- ]?outs?\b|\bhe?o?ld(?:ing)?[- ](?:out|back)\b|\bcontrol group\b", re.IGNORECASE)
_AUDIENCE = re.compile(r"\btop\b|\bbest\b|\bmost (?:alike|similar)\b", re.IGNORECASE)
#: The audience itself, beside a number or a change: too many meanings to say which share is meant.
_SIZED = re.compile(r"\baudiences?\b|\busers\b|\bpeople\b|\blists?\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"\b\d[\d.,]*\b|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|hundred|thousand)\b",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"\b(?:make|change|set|raise|lower|increase|reduce|drop|remove|without|no|double|twice|half|halve|third|quarter|"
    r"fifth|tenth|bigger|smaller|larger|different)\b",
    re.IGNORECASE,
)
_MARKET = re.compile(r"\b(?:markets?|segments?|regions?|countr(?:y|ies))\b", re.IGNORECASE)
_LIMITS = re.compile(r"\b(?:only|just|segment|market|region|restrict(?:ed)?|limit(?:ed)?|within)\b", re.IGNORECASE)
_ONLY = re.compile(r"\b(?:only|just|restrict(?:ed)?|limit(?:ed)?|within)\b", re.IGNORECASE)
_OPENS = re.compile(r"\b(?:all|every|each|any)\s+(?:of\s+)?(?:the\s+)?(?:market|segment|region|countr)", re.IGNORECASE)
_NEGATES = re.compile(r"\b(?:except|without|exclud\w*|not|drop|remove|compare\w*|versus|vs)\b", re.IGNORECASE)
_OTHERWISE = re.compile(
    r"\b(?:features?|scor\w*|methods?|models?|weigh\w*|scal\w*|distances?|similar\w*|seeds?|rank\w*|filter\w*|"
    r"nearest|neighbou?rs?|exclud\w*|columns?)\b",
    re.IGNORECASE,
)
_CLAUSES = re.compile(r"[;?!\n]+|\.(?=\s|$)")


@dataclass(frozen=True)
class Asked:
    """The audience as a share of the scored users, the holdout as a share of it, and the markets: none for all."""

    audience: float | None
    holdout: float | None
    markets: frozenset[str] | None


UNSAID = Asked(audience=0.10, holdout=0.20, markets=frozenset())
"""What is checked where a caller does not say what was asked."""


def read_asked(prompts: Sequence[str], markets: Collection[str]) -> Asked:
    """Reads what is asked for after all these prompts.

    Args:
        prompts: What the requester wrote in the session, oldest first.
        markets: Values that may stand for a market in the user table.

    Returns:
        What the newest words say; None where they can't be read.
    """
    if not prompts:
        return UNSAID
    asked = Asked(None, None, frozenset())
    for prompt in prompts:
        for clause in _CLAUSES.split(prompt):
            asked = _shares(clause, _market(clause, asked, markets))
    return asked


def only_the_holdout(prompts: Sequence[str]) -> bool:
    """Whether these prompts speak of the holdout, and of nothing that may choose other users or score them anew."""
    return all(_HOLDOUT.search(prompt) and not _OTHERWISE.search(prompt) for prompt in prompts)


def _shares(clause: str, asked: Asked) -> Asked:
    holdout = [found.span() for found in _HOLDOUT.finditer(clause)]
    audience = [found.span() for found in _AUDIENCE.finditer(clause)]
    left = _OLD.sub(lambda found: " " * len(found[0]), clause)
    percents = list(_PERCENT.finditer(left))
    if not percents and (_CHANGES.search(clause) or _NUMBER.search(left)):
        # Something is said of a size, in words this does not read.
        if holdout:
            asked = replace(asked, holdout=None)
        if audience or (_SIZED.search(clause) and not holdout):
            asked = replace(asked, audience=None)
        return asked
    for found in percents:
        share = float(found[1]) / 100
        near, far = (_gap(found.span(), spans) for spans in (holdout, audience))
        if near == far:
            # No word says what this number is of.
            asked = replace(asked, audience=None, holdout=None)
        elif near < far:
            asked = replace(asked, holdout=share)
        else:
            asked = replace(asked, audience=share)
    return asked


def _gap(span: tuple[int, int], others: list[tuple[int, int]]) -> float:
    return min((max(start - span[1], span[0] - end) for start, end in others), default=float("inf"))


def _market(clause: str, asked: Asked, markets: Collection[str]) -> Asked:
    named = frozenset(value for value in markets if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", clause))
    if named:
        clear = _LIMITS.search(clause) and not _NEGATES.search(clause)
        return replace(asked, markets=named if clear else None)
    if _OPENS.search(clause):
        return replace(asked, markets=frozenset())
    if _MARKET.search(clause) and _ONLY.search(clause):
        return replace(asked, markets=None)
    return asked
