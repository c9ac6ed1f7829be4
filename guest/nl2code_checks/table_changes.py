"""How one table differs from an earlier one: rows that left and came, values that changed, totals and group counts."""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Hashable
from typing import Any, Final, NotRequired, TypedDict

import numpy as np
import pandas as pd

from nl2code_checks.difference import RELATIVE

MAX_NAMED: Final = 20
MAX_GROUPS: Final = 12
NAME_CHARS: Final = 60
#: Columns that are tried together as a key, and how many at most.
KEY_COLUMNS: Final = 8
KEY_WIDTH: Final = 3
KEY_ROWS: Final = 200_000
DIGITS: Final = 9
NAMES_ROWS: Final = re.compile(r"(^|[_ ])(id|key|no|ref|code)$", re.IGNORECASE)


class Total(TypedDict):
    """The sum of a column of numbers, before and after."""

    column: str
    before: float
    after: float


class Group(TypedDict):
    """How many rows have each value of a column of few values, before and after."""

    column: str
    values: list[tuple[str, int, int]]


class TableChange(TypedDict):
    """The change in numbers. ``left``, ``came`` and ``changed`` count rows by ``key``, without one whole rows."""

    rows: tuple[int, int]
    key: list[str]
    left: int
    came: int
    #: Rows that stayed and hold another value in a column that both tables have.
    changed: int
    #: The same rows, in another order.
    moved: bool
    cells: list[tuple[str, int]]
    added: list[str]
    removed: list[str]
    totals: list[Total]
    groups: list[Group]
    #: Columns with totals or groups beyond those that are told.
    more: NotRequired[int]


def table_change(before: pd.DataFrame, after: pd.DataFrame, declared: str | None, until: float) -> TableChange:
    """Compares two tables of plain columns.

    Args:
        before: The earlier table.
        after: The new one.
        declared: The key column that is declared for it.
        until: Monotonic time after which no key is looked for any more.

    Returns:
        The change.
    """
    shared = [name for name in after.columns if name in before.columns and _kind(before[name]) == _kind(after[name])]
    key = _key(before, after, shared, declared, until)
    rest = [name for name in shared if name not in key]
    if key:
        left, came, changed, cells, moved = _by_key(before, after, key, rest)
    else:
        left, came, moved = _by_row(before, after, shared)
        changed, cells = 0, []
    totals = [_total(name, before[name], after[name]) for name in rest if _kind(after[name]) == "number"]
    known = [total for total in totals if total is not None]
    groups = [group for name in rest if (group := _group(name, before[name], after[name])) is not None]
    change = TableChange(
        rows=(len(before), len(after)),
        key=[short(name) for name in key],
        left=left,
        came=came,
        changed=changed,
        moved=moved,
        cells=[(short(name), count) for name, count in cells[:MAX_NAMED]],
        added=[short(name) for name in after.columns if name not in shared][:MAX_NAMED],
        removed=[short(name) for name in before.columns if name not in shared][:MAX_NAMED],
        totals=known[:MAX_NAMED],
        groups=groups[:MAX_NAMED],
    )
    more = max(0, len(known) - MAX_NAMED) + max(0, len(groups) - MAX_NAMED)
    return change | {"more": more} if more else change


def short(value: object) -> str:
    """A hostile value as text that can stand in a sentence."""
    text = str(value)
    return text if len(text) <= NAME_CHARS else f"{text[: NAME_CHARS - 1]}…"


def _kind(column: Any) -> str:
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _key(before: Any, after: Any, shared: list[str], declared: str | None, until: float) -> list[str]:
    """The declared key, else the first column or set of columns that names each row of both tables; empty for none."""

    def names_rows(columns: list[str]) -> bool:
        return not any(
            bool(frame[columns].isna().to_numpy().any()) or bool(frame.duplicated(columns).any())
            for frame in (before, after)
        )

    if declared in shared and names_rows([declared]):
        return [declared]
    exact = [name for name in shared if after[name].dtype != np.float64]
    # A running number says where a row stands, and not what it is, unless its name says otherwise.
    exact.sort(key=lambda name: 0 if NAMES_ROWS.search(name) else 1 + _is_running(after[name]))
    for name in exact:
        if names_rows([name]):
            return [name]
    if max(len(before), len(after)) > KEY_ROWS:
        return []
    distinct = {name: after[name].nunique() for name in exact[:KEY_COLUMNS]}
    for width in range(2, KEY_WIDTH + 1):
        for columns in itertools.combinations(distinct, width):
            if time.monotonic() > until:
                return []
            if math.prod(distinct[name] for name in columns) >= len(after) and names_rows(list(columns)):
                return list(columns)
    return []


def _is_running(column: Any) -> bool:
    if column.dtype != "Int64" or column.isna().any() or len(column) < 2:
        return False
    values = np.sort(column.to_numpy(dtype=np.int64))
    return int(values[0]) in (0, 1) and bool((np.diff(values) == 1).all())


def _by_key(
    before: Any, after: Any, key: list[str], rest: list[str]
) -> tuple[int, int, int, list[tuple[str, int]], bool]:
    there = _index(before, key).get_indexer(_index(after, key))
    stayed = there >= 0
    a, b = before.iloc[there[stayed]], after[stayed]
    differs: Any = np.zeros(int(stayed.sum()), dtype=bool)
    cells = []
    for name in rest:
        wrong = _differ(a[name], b[name])
        differs |= wrong
        if wrong.any():
            cells.append((name, int(wrong.sum())))
    came, left = int((~stayed).sum()), len(before) - int(stayed.sum())
    moved = came == left == 0 and not differs.any() and bool((np.diff(there) < 0).any())
    return left, came, int(differs.sum()), sorted(cells, key=lambda cell: -cell[1]), moved


def _index(frame: Any, key: list[str]) -> Any:
    return pd.Index(frame[key[0]]) if len(key) == 1 else pd.MultiIndex.from_frame(frame[key])


def _differ(a: Any, b: Any) -> Any:
    missing, other = (column.isna().to_numpy(dtype=bool) for column in (a, b))
    if a.dtype == "Int64" and b.dtype == "Int64":
        unequal = np.asarray(a.fillna(0).to_numpy(dtype=np.int64) != b.fillna(0).to_numpy(dtype=np.int64))
    elif _kind(a) == "number":
        x, y = (column.to_numpy(dtype=np.float64, na_value=np.nan) for column in (a, b))
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(x - y) <= RELATIVE * np.maximum(np.abs(x), np.abs(y))
        unequal = ~((x == y) | (near & np.isfinite(x) & np.isfinite(y)))
    else:
        unequal = np.asarray(a.to_numpy(dtype=object) != b.to_numpy(dtype=object), dtype=bool)
    return np.where(missing | other, missing != other, unequal)


def _by_row(before: Any, after: Any, shared: list[str]) -> tuple[int, int, bool]:
    if not shared:
        return len(before), len(after), False
    fractions = {name for name in shared for frame in (before, after) if frame[name].dtype == np.float64}
    a, b = (_row_digests(frame[shared], fractions) for frame in (before, after))
    counts = a.value_counts().sub(b.value_counts(), fill_value=0)
    left, came = int(counts[counts > 0].sum()), int(-counts[counts < 0].sum())
    moved = left == came == 0 and not bool((a.to_numpy() == b.to_numpy()).all())
    return left, came, moved


def _row_digests(frame: Any, fractions: set[str]) -> Any:
    """One number a row; ``fractions`` count to nine digits."""
    columns = {}
    for name in frame.columns:
        column = frame[name]
        if name in fractions:
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            column = pd.Series([f"{value:.{DIGITS - 1}e}" for value in values], dtype=object)
        columns[name] = column.reset_index(drop=True)
    return pd.util.hash_pandas_object(pd.DataFrame(columns), index=False)


def _total(name: str, a: Any, b: Any) -> Total | None:
    with np.errstate(invalid="ignore", over="ignore"):
        sums = [float(np.nansum(column.to_numpy(dtype=np.float64, na_value=np.nan))) for column in (a, b)]
    return Total(column=short(name), before=sums[0], after=sums[1]) if np.isfinite(sums).all() else None


def _group(name: str, a: Any, b: Any) -> Group | None:
    if a.dtype == np.float64 or b.dtype == np.float64:
        return None
    counts: list[dict[Hashable, int]] = []
    for column in (a, b):
        if column.nunique(dropna=False) > MAX_GROUPS:
            return None
        counts.append(column.astype(object).where(column.notna(), None).value_counts(dropna=False).to_dict())
    labels = sorted({*map(_label, counts[0]), *map(_label, counts[1])})
    # A column whose values are nearly all different has no groups, however short the table.
    if len(labels) > MAX_GROUPS or 2 * len(labels) > len(a) + len(b):
        return None
    told = [{_label(value): count for value, count in side.items()} for side in counts]
    return Group(column=short(name), values=[(short(x), told[0].get(x, 0), told[1].get(x, 0)) for x in labels])


def _label(value: object) -> str:
    return "(none)" if value is None or value is pd.NA or value != value else str(value)
