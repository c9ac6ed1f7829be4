"""Common to all checks of the pack: their protocol, and C1, the form of a declared table.

Outputs come from a sandbox and are hostile: a file is opened once without following links, its size,
rows and columns are bounded before anything is decoded, and nothing is ever unpickled.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

MAX_FILE_BYTES = 64 << 20
MAX_TABLE_BYTES = 256 << 20
MAX_ROWS = 1_000_000
MAX_COLUMNS = 100
MAX_ENTRIES = 1_000
MAX_SHOWN_CHARS = 80


class CheckContext(Protocol):
    """What a check may read. A context may also have ``declared``: the request's own output paths."""

    @property
    def inputs(self) -> Path:
        """Folder of the request's inputs, as admitted."""

    @property
    def outputs(self) -> Path:
        """Folder of what the script wrote; hostile."""

    @property
    def truth(self) -> Path | None:
        """Folder of files that only checks may read, or None."""


class CheckResult(TypedDict):
    """One check: passed, failed, or (None) not run, with the reason in ``detail``."""

    name: str
    ok: bool | None
    detail: str
    path: NotRequired[str]


class Unfit(Exception):
    """An output that is not the declared table; the message is the check's detail."""


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


_IS_TYPE: Mapping[str, Callable[[pa.DataType], bool]] = {
    "int": pa.types.is_integer,
    "float": pa.types.is_floating,
    "str": _is_text,
}


@dataclass(frozen=True)
class Table:
    """A declared output table: its path, its key and the type of every column."""

    path: str
    key: str
    columns: Mapping[str, str]


def shown(value: object) -> str:
    """Hostile text in a form that can stand in a sentence."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


def check_files(ctx: CheckContext, declared: Iterable[str]) -> None:
    """Checks that the script wrote the declared files and no other.

    Args:
        ctx: The check's context. Inputs that are linked into the folder do not count.
        declared: Paths the pack declares; those of ``ctx.declared`` are allowed too.

    Raises:
        Unfit: There is another file.
    """
    allowed = {Path(path).parts[0] for path in (*declared, *getattr(ctx, "declared", ()))}
    allowed.update(entry.name for entry in os.scandir(ctx.inputs))
    with os.scandir(ctx.outputs) as entries:
        for number, entry in enumerate(entries):
            if number >= MAX_ENTRIES:
                raise Unfit(f"the script left more than {MAX_ENTRIES} files")
            if entry.name not in allowed:
                raise Unfit(f"the script wrote {shown(entry.name)}, which is not a declared output")


def read_declared(folder: Path, table: Table, key_names: Iterable[str] = ()) -> pd.DataFrame:
    """Reads a declared table from a folder of hostile files.

    Args:
        folder: Folder of the outputs.
        table: What is declared.
        key_names: Other names the key column may have.

    Returns:
        The declared columns, the key under its declared name.

    Raises:
        Unfit: The file is missing, not a regular file, too large, unreadable, or its columns, types or
            key are not the declared ones.
    """
    try:
        data = _read_bounded(folder / table.path, table)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise Unfit(f"{table.path} is not a readable Parquet file ({shown(str(error))})") from error
    names = list(data.column_names)
    key = next((name for name in (table.key, *key_names) if name in names), table.key)
    columns = {key if name == table.key else name: kind for name, kind in table.columns.items()}
    for name in columns:
        if names.count(name) != 1:
            fault = "is missing" if name not in names else "stands there twice"
            raise Unfit(f"{table.path}: column {name} {fault}; its columns are {shown(names)}")
    for name in names:
        if name not in columns:
            hint = " (a data frame's index: write with index=False)" if name.startswith("__index_level_") else ""
            raise Unfit(f"{table.path}: column {shown(name)}{hint} is not declared; declared are {', '.join(columns)}")
    for name, kind in columns.items():
        column = data.column(name)
        if not _IS_TYPE[kind](column.type):
            raise Unfit(f"{table.path}: column {name} is {shown(str(column.type))}, not {kind}")
        if column.null_count:
            raise Unfit(f"{table.path}: column {name} has {column.null_count} nulls")
    if not data.num_rows:
        raise Unfit(f"{table.path} has no rows")
    frame = pd.DataFrame({name: _plain(data.column(own)).to_pandas() for name, own in zip(table.columns, columns)})
    repeats = int(frame[table.key].duplicated().sum())
    if repeats:
        raise Unfit(f"{table.path}: key {key} has {repeats} repeated values")
    return frame


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _read_bounded(path: Path, table: Table) -> pa.Table:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Unfit(f"{table.path} was not written") from None
    except OSError as error:
        raise Unfit(f"{table.path} cannot be opened as a regular file ({error.strerror})") from error
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise Unfit(f"{table.path} is not a regular file")
        if facts.st_size > MAX_FILE_BYTES:
            raise Unfit(f"{table.path} has {facts.st_size} bytes; at most {MAX_FILE_BYTES} are read")
        opened = pq.ParquetFile(file, thrift_string_size_limit=1 << 20, thrift_container_size_limit=1 << 20)
        about = opened.metadata
        if about.num_rows > MAX_ROWS or about.num_columns > MAX_COLUMNS:
            raise Unfit(
                f"{table.path} has {about.num_rows} rows and {about.num_columns} columns; "
                f"at most {MAX_ROWS} and {MAX_COLUMNS} are read"
            )
        size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        if size > MAX_TABLE_BYTES:
            raise Unfit(f"{table.path} unpacks to {size} bytes; at most {MAX_TABLE_BYTES} are read")
        return opened.read(use_threads=False)
