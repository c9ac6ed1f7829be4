"""Reads a table that a script wrote as columns of numbers and texts, bounded before it is decoded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet

MAX_BYTES: Final = 64 << 20
MAX_UNPACKED: Final = 256 << 20
MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 200
THRIFT: Final = 1 << 20
PARQUET: Final = (".parquet", ".pq")
ARROW: Final = (".feather", ".arrow")
DELIMITED: Final = (".csv", ".tsv")
LINES: Final = (".jsonl", ".ndjson")


class TooLarge(Exception):
    """There is more of it than is compared; the message says what."""


def is_table(name: str) -> bool:
    """Whether a file of this lower-case name is read as a table."""
    return name.endswith((*PARQUET, *ARROW, *DELIMITED, *LINES))


def read_table(path: Path, name: str) -> pd.DataFrame:
    """Reads a table by what its name says it is.

    Args:
        path: The file.
        name: Its name in lower case.

    Returns:
        A frame whose columns are numbers (``Int64``, ``float64``) or texts; a missing value is missing in both.

    Raises:
        TooLarge: It has more rows, columns or unpacked bytes than are compared.
    """
    if name.endswith(PARQUET):
        return _plain(_parquet(path))
    if name.endswith(ARROW):
        return _plain(feather.read_table(path, memory_map=False))
    if name.endswith(LINES):
        lines = [line for line in path.read_bytes().splitlines() if line.strip()]
        _bounded(len(lines), 0)
        return _frame(pd.DataFrame([json.loads(line) for line in lines]))
    # "NA" is a market, and not a missing value.
    frame = pd.read_csv(
        path,
        sep="\t" if name.endswith(".tsv") else _delimiter(path),
        nrows=MAX_ROWS + 1,
        keep_default_na=False,
        na_values=[""],
        encoding="utf-8-sig",
        encoding_errors="replace",
        low_memory=False,
    )
    return _frame(frame)


def read_records(document: object) -> pd.DataFrame | None:
    """Reads a JSON list of flat records as a table; None when it is something else."""
    if not isinstance(document, list) or not document or len(document) > MAX_ROWS:
        return None
    if not all(isinstance(row, dict) and not any(isinstance(v, dict | list) for v in row.values()) for row in document):
        return None
    return _frame(pd.DataFrame(document))


def _parquet(path: Path) -> Any:
    with path.open("rb") as file:
        opened = parquet.ParquetFile(file, thrift_string_size_limit=THRIFT, thrift_container_size_limit=THRIFT)
        about = opened.metadata
        _bounded(about.num_rows, about.num_columns)
        size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        if size > MAX_UNPACKED:
            raise TooLarge(f"it unpacks to {size} bytes")
        return opened.read(use_threads=False)


def _plain(table: Any) -> pd.DataFrame:
    _bounded(table.num_rows, table.num_columns)
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_boolean(kind) or pa.types.is_nested(kind) or pa.types.is_binary(kind):
            texts = [None if value is None else str(value) for value in column.to_pylist()]
            values: Any = pd.Series(texts, dtype=object)
        elif pa.types.is_unsigned_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind):
            values = column.cast(pa.float64(), safe=False).to_pandas()
        elif pa.types.is_integer(kind):
            values = column.cast(pa.int64()).to_pandas(integer_object_nulls=True)
        else:
            values = column.cast(pa.string()).to_pandas()
        columns[str(name)] = values
    return _frame(pd.DataFrame(columns))


def _frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Brings every column to whole numbers, fractions or texts."""
    _bounded(*frame.shape)
    columns: dict[str, Any] = {}
    for i, name in enumerate(frame.columns):
        column = frame.iloc[:, i]
        if pd.api.types.is_bool_dtype(column):
            column = column.astype(str)
        elif pd.api.types.is_integer_dtype(column) or (
            column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "integer"
        ):
            column = column.astype("Int64")
        elif pd.api.types.is_numeric_dtype(column):
            column = column.astype("float64")
        else:
            column = column.map(lambda value: str(value)[:1000], na_action="ignore").astype(object)
        columns[str(name)] = column.reset_index(drop=True)
    return pd.DataFrame(columns)


def _bounded(rows: int, columns: int) -> None:
    if rows > MAX_ROWS or columns > MAX_COLUMNS:
        raise TooLarge(f"{rows} rows and {columns} columns, more than {MAX_ROWS} and {MAX_COLUMNS}")


def _delimiter(path: Path) -> str:
    with path.open("rb") as file:
        header = file.readline(1 << 16).decode("utf-8", "replace")
    return max(",;\t|", key=lambda mark: (header.count(mark), mark == ","))
