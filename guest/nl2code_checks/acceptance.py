"""Runs the checks that a request agreed on before its code. Runs in a sandbox that executes no generated code.

The vocabulary is the host's (``acceptance-check.ts``): it has read and bounded every check, and says each as a
sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypedDict

import pandas as pd
from pandas.api import types

from nl2code_checks.difference import RELATIVE
from nl2code_checks.findings import shown
from nl2code_checks.frames import NoTable, read_frame

DETAIL_CHARS: Final = 400

Check = dict[str, Any]


class Answer(TypedDict):
    """``ok`` is None where the check itself can't be run; ``found`` says what was found, or why."""

    ok: bool | None
    found: str


class Unmet(Exception):
    """The output does not keep the check; the message says what was found instead."""


class NotRun(Exception):
    """The check can't be run, whatever the output holds."""


class Tables:
    """The tables of one verification, each read once."""

    def __init__(self, inputs: Path, outputs: Path) -> None:
        """Keeps where they stand."""
        self._folders = {"input": inputs, "output": outputs}
        self._read: dict[tuple[str, str], pd.DataFrame | NoTable] = {}

    def output(self, name: str) -> pd.DataFrame:
        """The table of an output; raises ``Unmet`` where there is none."""
        try:
            return self._get("output", name)
        except NoTable as error:
            raise Unmet(f"the file {error}") from error

    def input(self, name: str) -> pd.DataFrame:
        """The table of an input; raises ``NotRun`` where there is none."""
        try:
            return self._get("input", name)
        except NoTable as error:
            raise NotRun(f"the input {name} {error}") from error

    def _get(self, side: str, name: str) -> pd.DataFrame:
        if (side, name) not in self._read:
            try:
                self._read[side, name] = read_frame(self._folders[side], name)
            except NoTable as error:
                self._read[side, name] = error
        known = self._read[side, name]
        if isinstance(known, NoTable):
            raise known
        return known


def run_acceptance(inputs: Path, outputs: Path, checks: list[Check]) -> list[Answer]:
    """Runs every check.

    Args:
        inputs: Folder of the request's inputs.
        outputs: Folder of the first run's outputs.
        checks: As the host has read them.

    Returns:
        One answer a check, in order.
    """
    tables = Tables(inputs, outputs)
    return [_answer(tables, check) for check in checks]


def _answer(tables: Tables, check: Check) -> Answer:
    try:
        found = KINDS[check["kind"]](tables, tables.output(check["output"]), check)
        return Answer(ok=True, found=found[:DETAIL_CHARS])
    except Unmet as fault:
        return Answer(ok=False, found=str(fault)[:DETAIL_CHARS])
    except NotRun as reason:
        return Answer(ok=None, found=str(reason)[:DETAIL_CHARS])
    # Values of an output may break any operation on them: then it does not keep the check.
    except (Exception, MemoryError) as error:
        return Answer(ok=False, found=f"can't be checked ({type(error).__name__}: {str(error)[:200]})")


def _column(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in frame.columns:
        raise Unmet(f"there is no column {shown(name)}; there are {_names(frame)}")
    column = frame[name]
    if isinstance(column, pd.DataFrame):
        raise Unmet(f"column {shown(name)} is there {column.shape[1]} times")
    return column


def _names(frame: pd.DataFrame) -> str:
    names = [str(name) for name in frame.columns]
    return (shown(names[:20], 300) + (" and more" if len(names) > 20 else "")) if names else "none"


def _bounded(value: float, check: Check, what: str) -> str:
    equals, low, high = (check.get(key) for key in ("equals", "min", "max"))
    fits = (
        (equals is None or math.isclose(value, equals, rel_tol=RELATIVE, abs_tol=RELATIVE))
        and (low is None or value >= low)
        and (high is None or value <= high)
    )
    if not fits:
        raise Unmet(what)
    return what


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _rows(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    return _bounded(len(frame), check, f"{len(frame):,} rows")


def _columns(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    missing = [name for name in check["columns"] if name not in frame.columns]
    if missing:
        raise Unmet(f"no {', '.join(shown(name) for name in missing)}; there are {_names(frame)}")
    return "there"


def _unique(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    for name in check["columns"]:
        _column(frame, name)
    repeated = frame.duplicated(check["columns"], keep="first")
    if repeated.any():
        first = frame.loc[repeated, check["columns"]].iloc[0].tolist()
        example = first[0] if len(first) == 1 else first
        raise Unmet(f"{int(repeated.sum()):,} rows repeat an earlier one, e.g. {shown(example)}")
    return f"{len(frame):,} rows, none repeats"


def _no_nulls(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    empty = {name: int(_column(frame, name).isna().sum()) for name in check["columns"]}
    faulty = [f"{count:,} in {shown(name)}" for name, count in empty.items() if count]
    if faulty:
        raise Unmet(f"empty: {', '.join(faulty)}")
    return "none empty"


def _values(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    column = _column(frame, check["column"])
    allowed = pd.Series(False, index=column.index)
    for value in check["values"]:
        allowed |= _is(column, value)
    if not allowed.all():
        others = column[~allowed]
        raise Unmet(f"{len(others):,} rows hold something else, e.g. {shown(others.iloc[0])}")
    return f"{len(column):,} rows, no other value"


def _count(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    held = int(_is(_column(frame, check["column"]), check["value"]).sum())
    return _bounded(held, check, f"{held:,} of {len(frame):,} rows")


def _share(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    held = int(_is(_column(frame, check["column"]), check["value"]).sum())
    if len(frame) == 0:
        raise Unmet("there are no rows")
    what = f"{held:,} of {len(frame):,} rows, {held / len(frame):.4%}"
    wanted = check.get("equals")
    if wanted is None:
        return _bounded(held / len(frame), check, what)
    # As near as whole rows come to it.
    if abs(held - wanted * len(frame)) >= 1:
        raise Unmet(what)
    return what


def _numbers(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    values = _floats(_column(frame, check["column"]), check["column"])
    bad = [value for value in values if not math.isfinite(value)]
    if bad:
        raise Unmet(f"{len(bad):,} of {len(values):,} values are empty or not finite")
    if not values:
        return "there are no rows"
    for value in (min(values), max(values)):
        _bounded(value, check, f"{_number(min(values))} to {_number(max(values))}")
    return f"{_number(min(values))} to {_number(max(values))}"


def _sum(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    total = math.fsum(_floats(_column(frame, check["column"]), check["column"]))
    return _bounded(total, check, _number(total))


def _disjoint(tables: Tables, frame: pd.DataFrame, check: Check) -> str:
    mine, theirs = _keys(_column(frame, check["column"])), _input_keys(tables, check)
    shared = mine[mine.isin(theirs)]
    if len(shared):
        raise Unmet(f"{len(shared):,} of {len(mine):,} values are, e.g. {shown(shared.iloc[0])}")
    return f"none of {len(mine):,} values"


def _within(tables: Tables, frame: pd.DataFrame, check: Check) -> str:
    column = _column(frame, check["column"])
    mine, theirs = _keys(column), _input_keys(tables, check)
    strange = mine[~mine.isin(theirs)]
    if len(strange) or len(mine) < len(column):
        example = f", e.g. {shown(strange.iloc[0])}" if len(strange) else ""
        raise Unmet(f"{len(strange) + len(column) - len(mine):,} of {len(column):,} values are not{example}")
    return f"all {len(mine):,} values"


def _sorted(_: Tables, frame: pd.DataFrame, check: Check) -> str:
    names = check["columns"]
    for name in names:
        if _column(frame, name).isna().any():
            raise Unmet(f"column {shown(name)} has empty values")
    rows = frame[names].reset_index(drop=True)
    ordered = rows.sort_values(names, ascending=check["order"] == "ascending", kind="stable").index
    wrong = next((i for i, place in enumerate(ordered) if i != place), None)
    if wrong is not None:
        raise Unmet(f"row {wrong + 1} is out of order: {shown(rows.iloc[wrong].tolist())}")
    return f"{len(rows):,} rows in order"


def _input_keys(tables: Tables, check: Check) -> pd.Series[Any]:
    frame = tables.input(check["input"])
    if check["inputColumn"] not in frame.columns:
        raise NotRun(f"the input {check['input']} has no column {shown(check['inputColumn'])}; it has {_names(frame)}")
    column = frame[check["inputColumn"]]
    if isinstance(column, pd.DataFrame):
        raise NotRun(f"the input {check['input']} has column {shown(check['inputColumn'])} twice")
    return _keys(column)


def _is(column: pd.Series[Any], value: object) -> pd.Series[bool]:
    """Rows that hold a value. A number and its text are the same: not every format keeps types."""
    if isinstance(value, bool):
        texts = column.astype(str).str.lower()
        return ((texts == str(value).lower()) & column.notna()).astype(bool)
    number = _parsed(value)
    if number is not None and types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        return (column.astype("Float64") == number).fillna(False).astype(bool)
    text = _number(value).replace(",", "") if isinstance(value, int | float) else str(value)
    return ((column.astype(str) == text) & column.notna()).astype(bool)


def _parsed(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None


def _floats(column: pd.Series[Any], name: str) -> list[float]:
    if types.is_bool_dtype(column) or not (types.is_numeric_dtype(column) or column.dtype == object):
        raise Unmet(f"column {shown(name)} holds {column.dtype}, no numbers")
    numbers = pd.to_numeric(column, errors="coerce")
    return [float(value) for value in numbers.astype("float64")]


def _keys(column: pd.Series[Any]) -> pd.Series[Any]:
    """Values as texts that compare across formats: 7, 7.0 and "7" are one."""
    known = column.dropna()
    if types.is_float_dtype(known) and (known % 1 == 0).all():
        known = known.astype("Int64")
    return known.astype(str)


KINDS: Final[dict[str, Callable[[Tables, pd.DataFrame, Check], str]]] = {
    "rows": _rows,
    "columns": _columns,
    "unique": _unique,
    "no-nulls": _no_nulls,
    "values": _values,
    "count": _count,
    "share": _share,
    "numbers": _numbers,
    "sum": _sum,
    "disjoint": _disjoint,
    "within": _within,
    "sorted": _sorted,
}
