"""Tables as files: reading one whole, and SQL over several."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENDINGS = (".parquet", ".csv")


class CdpError(ValueError):
    """A table, column or query that cannot be used; the message names it."""


def data_folder() -> Path:
    """Says where tables are looked for.

    Returns:
        The folder named by ``CDP_DATA_DIR``, or the current directory.
    """
    return Path(os.environ.get("CDP_DATA_DIR") or ".")


def get_user_features(
    columns: Sequence[str] | None = None, source: str | os.PathLike[str] = "user_features.parquet"
) -> pd.DataFrame:
    """Reads the user feature table, one row per user, in the file's order.

    Args:
        columns: Columns to read, in this order; None reads all.
        source: The table's file; a relative path starts at the data folder.

    Returns:
        The table, missing values as NaN.

    Raises:
        CdpError: The file is missing, unreadable or empty, or lacks a column.
    """
    return _read(data_folder() / source, columns)


def query(sql_or_table: str, params: Sequence[object] | Mapping[str, object] | None = None) -> pd.DataFrame:
    """Runs one read-only SQL query over the tables of the data folder, or reads one table whole.

    Args:
        sql_or_table: A SELECT in SQLite's dialect, or the bare name of a table.
        params: Values for ``?`` or ``:name`` placeholders of the SELECT.

    Returns:
        The rows. A SELECT returns dates as ISO text; a table read whole keeps its types.

    Raises:
        CdpError: The table is missing or the query cannot be run.
    """
    text = sql_or_table.strip()
    if _TABLE_NAME.fullmatch(text):
        return _read(_table_file(text), None)
    if not re.match(r"(select|with)\b", text, re.IGNORECASE):
        raise CdpError(f"query must be a SELECT or the name of a table, not {text[:60]!r}")
    words = {word.lower() for word in _TABLE_NAME.findall(text)}
    with closing(sqlite3.connect(":memory:")) as database:
        for table, path in sorted(_tables().items()):
            if table.lower() in words:
                _read(path, None).to_sql(table, database, index=False)
        database.execute("PRAGMA query_only = ON")
        try:
            return pd.read_sql_query(text, database, params=_values(params))
        except (pd.errors.DatabaseError, sqlite3.Error, sqlite3.Warning) as error:
            reason = str(error.__cause__ or error).removesuffix(".")
            raise CdpError(f"query failed: {reason}; tables here: {', '.join(sorted(_tables())) or 'none'}") from error


def _values(params: Sequence[object] | Mapping[str, object] | None) -> list[object] | dict[str, object] | None:
    if params is None:
        return None
    return dict(params) if isinstance(params, Mapping) else list(params)


def _tables() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for ending in reversed(_ENDINGS):
        found.update({path.stem: path for path in data_folder().glob(f"*{ending}")})
    return found


def _table_file(table: str) -> Path:
    known = _tables()
    if table not in known:
        raise CdpError(f"no table {table} in {data_folder()}; tables here: {', '.join(sorted(known)) or 'none'}")
    return known[table]


def _read(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    if not path.is_file():
        raise CdpError(f"{path}: no such file")
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path)
        else:
            frame = pq.ParquetFile(path).read().to_pandas()
    except (OSError, pa.ArrowException, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise CdpError(f"{path}: not a readable {path.suffix.lstrip('.') or 'table'} file ({error})") from error
    for column in columns or ():
        if column not in frame.columns:
            raise CdpError(f"{path}: no column {column}; columns here: {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise CdpError(f"{path}: no rows under its columns {', '.join(map(str, frame.columns))}")
    return frame[list(columns)] if columns is not None else frame
