"""One line per column: type, gaps, distinct values, range or categories. What could name a person becomes a pattern.

Masking here is a courtesy of the look at the inputs; what a model may see at all is decided on the host.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_MAX_CATEGORIES = 12
_MAX_CATEGORY_CHARS = 30
_MAX_NAME_CHARS = 60
_SAMPLE = 2_000
_LONG_ID_DIGITS = 9
#: Column names that speak of persons, and names of other things that look alike.
PERSONAL = re.compile(
    r"name|mail|phone|mobile|fax|(^|_)tel|addr|street|strasse|contact|person|birth|(^|_)dob|iban|passport|ssn|"
    r"comment|note|remark|message|descr|(^|_)ip(_|$)|owner|manager|agent|employee|author|signature|"
    r"kunde|client(e|_|$)|customer$|patient|mitarbeiter|nombre|pr[eé]nom|kontakt|adress|notiz|bemerk|kommentar",
    re.IGNORECASE,
)
NOT_PERSONAL = re.compile(
    r"(file|product|campaign|event|channel|segment|country|store|plan|column|brand|city)_?name", re.I
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[\d ()/.-]{8,20}")
_DATES = (
    (re.compile(r"\d{4}-\d{2}-\d{2}"), "%Y-%m-%d", "dates YYYY-MM-DD"),
    (
        re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|[+-]\d{2}:?\d{2}))?"),
        "ISO8601",
        "times, ISO",
    ),
    (re.compile(r"\d{2}\.\d{2}\.\d{4}"), "%d.%m.%Y", "dates DD.MM.YYYY"),
    (re.compile(r"\d{4}/\d{2}/\d{2}"), "%Y/%m/%d", "dates YYYY/MM/DD"),
)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")


def describe_columns(table: Any, most: int) -> list[str]:
    """A line per column within about `most` characters, names alone for what does not fit."""
    lines: list[str] = []
    width = min(24, max((len(_label(name)) for name in table.columns), default=0))
    for position, name in enumerate(table.columns):
        line = f"  {_label(name):<{width}}  {_column(table.iloc[:, position], str(name))}"
        most -= len(line) + 1
        if most < 120 and position < table.shape[1] - 1:
            rest = [_label(other) for other in table.columns[position:]]
            names = ", ".join(rest)
            lines.append(f"  … and {len(rest)} more columns: {names[:600]}{'…' if len(names) > 600 else ''}")
            break
        lines.append(line)
    return lines


def _label(name: object) -> str:
    text = str(name)
    shown = text if text.isprintable() and text == text.strip() and text else repr(text)
    return shown if len(shown) <= _MAX_NAME_CHARS else shown[:_MAX_NAME_CHARS] + "…"


def _column(values: Any, name: str) -> str:
    nulls = int(values.isna().sum())
    present = values.dropna()
    try:
        distinct = int(present.nunique())
    except TypeError:
        kinds = sorted({type(value).__name__ for value in present.head(100)})
        return f"{values.dtype}, {_nulls(nulls)}holds {', '.join(kinds)}"
    head = f"{values.dtype}, {_nulls(nulls)}{distinct:,} distinct"
    if distinct == 0:
        return head
    detail = _detail(values, present, distinct, name)
    return f"{head}, {detail}" if detail else head


def _nulls(nulls: int) -> str:
    return f"{nulls:,} null, " if nulls else ""


def _detail(values: Any, present: Any, distinct: int, name: str) -> str:
    kind = getattr(values.dtype, "kind", "O")
    if kind == "b":
        return _counts(present)
    if kind in "iuf":
        return _numbers(present, distinct, kind)
    if kind in "Mm":
        return f"{present.min()} to {present.max()}".replace(" 00:00:00", "")
    if str(values.dtype).startswith("period"):
        return f"{present.min()} to {present.max()}"
    return _texts(present, distinct, name)


def _numbers(present: Any, distinct: int, kind: str) -> str:
    low, high = present.min(), present.max()
    whole = kind in "iu" or bool((present.head(_SAMPLE) % 1 == 0).all())
    if whole and abs(high) >= 10**_LONG_ID_DIGITS and distinct > len(present) / 2:
        digits = sorted({len(str(abs(int(value)))) for value in (low, high)})
        return f"long numbers of {'–'.join(map(str, digits))} digits"
    if distinct <= 5 and distinct < len(present) and whole:
        return _counts(present)
    shown = f"{_number(low)} to {_number(high)}"
    return f"{shown}, all whole" if whole and kind == "f" else shown


def _number(value: Any) -> str:
    number = float(value)
    return f"{int(value)}" if number.is_integer() and abs(number) < 1e15 else f"{number:.6g}"


def _texts(present: Any, distinct: int, name: str) -> str:
    sample = [str(value) for value in present.head(_SAMPLE)]
    if all(isinstance(value, str) for value in present.head(_SAMPLE)):
        dates = _dates(present, sample)
        if dates:
            return dates
    personal = bool(PERSONAL.search(name)) and not NOT_PERSONAL.search(name)
    if not personal and distinct <= _MAX_CATEGORIES and distinct < len(present) and not any(map(_is_private, sample)):
        values = [str(value) for value in present.unique()]
        if all(len(value) <= _MAX_CATEGORY_CHARS for value in values) and not any(map(_is_private, values)):
            return _counts(present)
    return _patterns(sample)


def _dates(present: Any, sample: list[str]) -> str | None:
    import pandas as pd

    for pattern, form, said in _DATES:
        if all(pattern.fullmatch(value) for value in sample):
            parsed = pd.to_datetime(present, format=form, errors="coerce", utc=form == "ISO8601")
            return (
                f"{said} as text, {parsed.min()} to {parsed.max()}".replace(" 00:00:00", "")
                if parsed.notna().any()
                else None
            )
    parts = [_SLASHED.fullmatch(value) for value in sample]
    if sample and all(parts):
        first = max(int(found[1]) for found in parts if found)
        second = max(int(found[2]) for found in parts if found)
        order = (
            "DD/MM/YYYY" if first > 12 else "MM/DD/YYYY" if second > 12 else "with / (day or month first can't be told)"
        )
        return f"dates {order} as text"
    return None


def _is_private(value: str) -> bool:
    return bool(_EMAIL.search(value)) or bool(_PHONE.fullmatch(value) and sum(map(str.isdigit, value)) >= 8)


def _counts(present: Any) -> str:
    counts = present.value_counts()
    shown = ", ".join(f"{_value(value)} {count:,}" for value, count in counts.head(_MAX_CATEGORIES).items())
    return f"values: {shown}"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return repr(value)
    return _number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _patterns(sample: list[str]) -> str:
    """What the values look like: letters as `a` and `A`, digits as `9`."""
    if sum(1 for value in sample if _EMAIL.fullmatch(value)) > len(sample) / 2:
        return "e-mail addresses"
    lengths = [len(value) for value in sample]
    if max(lengths) > 60 or sum(value.count(" ") for value in sample) / len(sample) > 4:
        return f"free text of {_span(lengths)} characters"
    patterns = Counter(_pattern(value) for value in sample)
    shown = ", ".join(f"{pattern} ({count * 100 // len(sample)} %)" for pattern, count in patterns.most_common(3))
    return f"text of {_span(lengths)} characters like {shown}"


def _span(lengths: list[int]) -> str:
    return str(lengths[0]) if min(lengths) == max(lengths) else f"{min(lengths)}–{max(lengths)}"


def _pattern(value: str) -> str:
    """`Jane Doe` → `Aa Aa`, `DE-00412` → `AA-99999`; runs longer than six are cut."""
    shape = "".join("9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c for c in value)
    shape = re.sub(r"a+", "a", shape)
    shape = re.sub(r"(.)\1{6,}", r"\1\1\1…", shape)
    return repr(shape[:40])
