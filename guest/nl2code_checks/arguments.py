"""Whether the arguments of a call fit a signature."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from nl2code_checks import callables
from nl2code_checks.callables import Unknown

_GIVEN = object()


def misfit(call: ast.Call, taken: inspect.Signature, target: Any) -> tuple[str, list[str]] | None:
    """Says why a call does not fit.

    Args:
        call: The call.
        taken: What is taken from the caller, ``self`` left out.
        target: The callable, whose wrappers may take more than they say.

    Returns:
        The reason and names of arguments that are close, or None when it fits or nothing certain can be said.
    """
    positions, names, open_ended = _given(call)
    reason = _bind(taken, positions, names, partial=open_ended)
    if reason is None:
        return None
    aside = callables.accepted_aside(target)
    wrong = [name for name in names if name not in taken.parameters]
    if any(name in aside for name in wrong):
        return None
    inner = callables.innermost(target)
    if inner is not target and not wrong:
        try:
            own = callables.signature(inner)
        except Unknown:
            return None
        extra = 1 if len(own.parameters) > len(taken.parameters) else 0
        if _bind(own, positions + extra, names, partial=open_ended) is None:
            return None
    takeable = [name for name, p in taken.parameters.items() if p.kind is not inspect.Parameter.POSITIONAL_ONLY]
    return reason, callables.near_names(wrong[0], takeable) if wrong else []


def _bind(taken: inspect.Signature, positions: int, names: list[str], partial: bool) -> str | None:
    try:
        (taken.bind_partial if partial else taken.bind)(*[_GIVEN] * positions, **dict.fromkeys(names, _GIVEN))
    except TypeError as error:
        return str(error)
    return None


def _given(call: ast.Call) -> tuple[int, list[str], bool]:
    """How many positions, which names, and whether more comes from ``*`` or ``**``."""
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    doubled = any(keyword.arg is None for keyword in call.keywords)
    positions = 0
    for argument in call.args:
        if isinstance(argument, ast.Starred):
            break
        positions += 1
    names = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    return positions, names, starred or doubled
