"""Compares Parquet and Arrow files: schema, row order and values, one column at a time."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.parquet as parquet

from nl2code_checks.difference import RELATIVE, Differs, Unreadable, at, first_difference
from nl2code_checks.findings import shown


def compare_parquet(a: BinaryIO, b: BinaryIO) -> None:
    """Compares two Parquet files; file metadata, compression and row groups don't count.

    Args:
        a: The first run's file.
        b: The second run's file.

    Raises:
        Differs: They hold different tables.
        Unreadable: One of them is no Parquet file.
    """
    x, y = _opened(a, False), _opened(b, True)
    _compare_schemas(x.schema_arrow, y.schema_arrow)
    if x.metadata.num_rows != y.metadata.num_rows:
        raise Differs(f"{x.metadata.num_rows} rows in the first run, {y.metadata.num_rows} in the second")
    names = x.schema_arrow.names
    if len(set(names)) < len(names) or any("." in name for name in names):
        _compare_tables(_read(x, None, False), _read(y, None, True))
        return
    for name in names:
        _compare_tables(_read(x, [name], False), _read(y, [name], True))


def compare_feather(a: BinaryIO, b: BinaryIO) -> None:
    """Compares two Arrow IPC (Feather) files.

    Args:
        a: The first run's file.
        b: The second run's file.

    Raises:
        Differs: They hold different tables.
        Unreadable: One of them is no Arrow file.
    """
    tables = []
    for second, file in enumerate((a, b)):
        try:
            tables.append(feather.read_table(file))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Unreadable(str(error)[:200], bool(second)) from error
    _compare_schemas(tables[0].schema, tables[1].schema)
    if tables[0].num_rows != tables[1].num_rows:
        raise Differs(f"{tables[0].num_rows} rows in the first run, {tables[1].num_rows} in the second")
    _compare_tables(*tables)


def _opened(file: BinaryIO, second: bool) -> Any:
    try:
        return parquet.ParquetFile(file)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(str(error)[:200], second) from error


def _read(file: Any, names: list[str] | None, second: bool) -> Any:
    try:
        return file.read(columns=names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(str(error)[:200], second) from error


def _compare_schemas(a: Any, b: Any) -> None:
    if a.names != b.names:
        raise Differs(f"columns are {shown(a.names, 200)} in the first run, {shown(b.names, 200)} in the second")
    for i, name in enumerate(a.names):
        if a.types[i] != b.types[i]:
            raise Differs(f"column {shown(name)}: type {a.types[i]} in the first run, {b.types[i]} in the second")


def _compare_tables(a: Any, b: Any) -> None:
    for i, name in enumerate(a.column_names):
        row = _first_row(a.column(i), b.column(i))
        if row is not None:
            raise at(name, row + 1, a.column(i)[row].as_py(), b.column(i)[row].as_py())


def _first_row(a: Any, b: Any) -> int | None:
    """Returns the index of the first row in which two columns of one type differ."""
    if a.equals(b):
        return None
    if pa.types.is_dictionary(a.type):
        a, b = a.cast(a.type.value_type), b.cast(b.type.value_type)
    nulls = np.asarray(pc.is_null(a).to_numpy(zero_copy_only=False), dtype=bool)
    other_nulls = np.asarray(pc.is_null(b).to_numpy(zero_copy_only=False), dtype=bool)
    if pa.types.is_floating(a.type):
        x, y = (_floats(column) for column in (a, b))
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(x - y) <= RELATIVE * np.maximum(np.abs(x), np.abs(y))
        # Inf minus inf is no number, and a NaN is near nothing: both count as equal to themselves only.
        same = np.where(np.isfinite(x) & np.isfinite(y), near, (x == y) | (np.isnan(x) & np.isnan(y)))
        same = np.where(nulls | other_nulls, nulls == other_nulls, same)
        return _first_false(same)
    if not (pa.types.is_nested(a.type) or pa.types.is_null(a.type)):
        try:
            equal = pc.fill_null(pc.equal(a, b), False).to_numpy(zero_copy_only=False)
            return _first_false(np.asarray(equal, dtype=bool) | (nulls & other_nulls))
        except pa.ArrowException:
            pass
    for row in range(len(a)):
        if first_difference(a[row].as_py(), b[row].as_py()) is not None:
            return row
    return None


def _floats(column: Any) -> Any:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _first_false(same: Any) -> int | None:
    wrong = np.flatnonzero(~same)
    return int(wrong[0]) if len(wrong) else None
