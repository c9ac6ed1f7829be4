"""What kind of text a column of an input holds: what may name a person, categories that may be read, or neither."""

from __future__ import annotations

import re
from typing import Any, Literal

from nl2code_guest.inspection_columns import NOT_PERSONAL, PERSONAL

Kind = Literal["text", "name", "email", "phone", "address", "id"]
KINDS: tuple[Kind, ...] = ("text", "name", "email", "phone", "address", "id")

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}\.[^@\s.]{1,63}")
_PHONE = re.compile(r"\+?[\d ()/.\-]{7,24}")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*%?")
_DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ][\d:.+Z\- ]*)?")
_NAME = re.compile(r"[^\W\d_][\w.'’\-]*([ ,]+[^\W\d_][\w.'’\-]*){1,3}")
_HEADERS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"mail", re.I)),
    ("phone", re.compile(r"phone|mobile|fax|(^|_)tel|handy", re.I)),
    ("address", re.compile(r"add?ress|addr|street|stra(ss|ß)e", re.I)),
    ("text", re.compile(r"comment|kommentar|note|notiz|remark|bemerk|message|descr|beschr", re.I)),
    ("id", re.compile(r"iban|passport|ssn|(^|_)ip(_|$)", re.I)),
)
_ID_HEADER = re.compile(r"iban|phone|mobile|card|account|ssn|passport|(^|_)tax", re.I)
_FEW, _SOME = 12, 100
_MAX_CATEGORY_CHARS = 60
_SAMPLE = 2_000
_MAX_HEADER_WORDS = 8
#: Whole numbers that all have so many digits are ids.
_LONG_ID = 10**8


def id_digits(values: Any, name: str) -> set[int]:
    """How many digits the long ids of a column of numbers have; empty when it holds none."""
    present = values.dropna()
    if len(present) == 0 or (values.dtype.kind == "f" and not bool((present.head(_SAMPLE) % 1 == 0).all())):
        return set()
    low, high = float(present.abs().min()), float(present.abs().max())
    if high >= 10**18 or high < 10**6:
        return set()
    named = bool(_ID_HEADER.search(name))
    if low >= _LONG_ID or (named and low >= 10**6):
        return set(range(len(str(int(low))), len(str(int(high))) + 1))
    return set()


def holds(distinct: list[str], rows: int, name: str) -> Kind | Literal["category"] | None:
    """The kind of a column's texts, from all its distinct values; None for numbers and dates written as text."""
    sample = distinct[:_SAMPLE]
    share = _share(sample)
    if share(_EMAIL) > 0.3:
        return "email"
    if share(_DATE) == 1:
        return None
    personal = bool(PERSONAL.search(name)) and not NOT_PERSONAL.search(name)
    if personal:
        return next((kind for kind, header in _HEADERS if header.search(name)), "name")
    if share(_NUMBER) == 1:
        return "id" if min(map(len, sample)) >= 9 else None
    if share(_PHONE) > 0.5:
        return "phone"
    few = len(distinct) <= _FEW and 2 * len(distinct) <= rows
    some = len(distinct) <= _SOME and 5 * len(distinct) <= rows and share(_NAME) < 0.5
    if (few or some) and not any(is_private(value) or len(value) > _MAX_CATEGORY_CHARS for value in distinct):
        return "category"
    if max(map(len, sample)) > 60 or sum(value.count(" ") for value in sample) / len(sample) > 4:
        return "text"
    if sum(any(map(str.isdigit, value)) for value in sample) > len(sample) * 0.6:
        return "id"
    return "name" if share(_NAME) > 0.6 else "text"


def is_private(text: str) -> bool:
    """Whether a text looks like an address for mail, a phone number or a long id."""
    if _EMAIL.search(text):
        return True
    digits = sum(map(str.isdigit, text))
    return digits >= 9 or bool(_PHONE.fullmatch(text) and digits >= 8)


def lacks_header(table: Any) -> bool:
    """Whether the first line of a table seems to be data that was taken for its header."""
    if table.shape[1] == 1:
        return True
    for position, name in enumerate(map(str, table.columns[:200])):
        if is_private(name) or re.fullmatch(r"-?\d+[.,]\d+", name):
            return True
        values = table.iloc[:, position]
        if values.dtype.kind not in "iufbMmc" and bool((values.head(_SAMPLE) == name).any()):
            return True
    return False


def looks_like_data(header: str, no_header: bool) -> bool:
    """Whether a header is a value; more is taken for one where the table seems to have no header."""
    words = header.split()
    if is_private(header) or len(words) > _MAX_HEADER_WORDS or len(header) > 120:
        return True
    is_name = len(words) > 1 and bool(_NAME.fullmatch(header)) and all(word[0].isupper() for word in words)
    return no_header and (is_name or bool(_DATE.fullmatch(header)))


def _share(sample: list[str]) -> Any:
    return lambda pattern: sum(1 for value in sample if pattern.fullmatch(value.strip())) / max(1, len(sample))
