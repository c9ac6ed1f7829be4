"""Which kind a file is, and how to read it as a table: the exact call, and the table itself or its first rows."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nl2code_guest.inspection_csv import decimals_of, sniff_csv, wide_without_mark

#: Larger files are looked at by their first rows.
_WHOLE_BYTES = 64 << 20
#: A workbook takes fifty times its size in memory.
_WORKBOOK_BYTES = 20 << 20
_FIRST_ROWS = 200_000
_MAX_SHEETS = 4


class Unreadable(Exception):
    """The file is of a kind, but can't be read as one; the message is one sentence."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass
class Part:
    """A table in a file, or what a file holds that is none."""

    kind: str
    #: The call that reads it.
    code: str = ""
    table: Any = None
    #: Rows in the file when `table` holds only the first.
    rows: int | None = None
    notes: list[str] = field(default_factory=list)


_MAGIC = (
    (b"PAR1", "Parquet"),
    (b"PK\x03\x04", "Excel"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"ARROW1", "Feather"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"%PDF", "PDF"),
)


def kind_of(path: str, name: str) -> str | None:
    """The kind by content first, by name where content leaves it open; None for binary data nobody knows."""
    with open(path, "rb") as file:
        start = file.read(65536)
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            if kind == "Excel" and not _is_workbook(path):
                return "zip archive"
            return kind
    if b"\x00" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")) and not wide_without_mark(start):
        return None
    ending = name.lower().rpartition(".")[2]
    first = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if ending in ("jsonl", "ndjson"):
        return "JSON lines"
    if ending == "json" or (first in (b"{", b"[") and ending not in ("csv", "tsv")):
        return "JSON lines" if _is_json_lines(start) else "JSON"
    if ending in ("md", "rst", "py", "sql", "yaml", "yml", "toml", "html", "htm", "xml", "log"):
        return "text"
    return "CSV"


def read_table(path: str, name: str, kind: str) -> Iterator[Part]:
    """The tables of a file. Raises `Unreadable` or whatever the reader raises."""
    if kind == "CSV":
        yield _csv(path, name)
    elif kind == "Parquet":
        yield _parquet(path, name)
    elif kind in ("JSON", "JSON lines"):
        yield _json(path, name, kind)
    elif kind == "Excel":
        yield from _excel(path, name)
    elif kind == "Feather":
        import pandas as pd

        yield Part(kind, f"pd.read_feather({name!r})", pd.read_feather(path))
    elif kind == "SQLite":
        yield _sqlite(path)
    elif kind == "text":
        with open(path, "rb") as file:
            yield Part(f"text, {sum(1 for _ in file):,} lines")
    elif kind == "old Excel":
        raise Unreadable("Excel before 2007", "It can't be read here: save it as .xlsx or .csv.")
    elif kind == "gzip":
        raise Unreadable("gzip", f"Unpack it with gzip.open({name!r}) and look at what it holds.")
    else:
        raise Unreadable(kind, "It is no table.")


def _csv(path: str, name: str) -> Part:
    import pandas as pd

    size = os.stat(path).st_size
    found = sniff_csv(path)
    options: dict[str, Any] = dict(found.options)
    limit = {"nrows": _FIRST_ROWS} if size > _WHOLE_BYTES else {}
    notes = list(found.notes)
    try:
        table = pd.read_csv(path, **options, **limit)
    except pd.errors.ParserError as error:
        options["on_bad_lines"] = "skip"
        table = pd.read_csv(path, **options, **limit)
        notes.append(f"Some lines do not fit the header and are skipped so ({str(error).strip()[-100:]}).")
    except pd.errors.EmptyDataError as error:
        raise Unreadable("CSV", "It holds no table: there are no columns.") from error
    extra = decimals_of(table, options.get("sep", ","))
    if extra:
        options.update(extra)
        table = pd.read_csv(path, **options, **limit)
    rows = _count_rows(path, found.header_lines) if limit else None
    notes += [] if limit else _literal_nulls(path, table, options)
    if len(table) == 0:
        notes.append("It has a header and no rows.")
    arguments = "".join(f", {key}={value!r}" for key, value in options.items())
    return Part(found.kind, f"pd.read_csv({name!r}{arguments})", table, rows, notes)


def _literal_nulls(path: str, table: Any, options: dict[str, Any]) -> list[str]:
    """Words such as `NA` in text columns, which pandas takes for gaps: a market or a code may be called so."""
    import pandas as pd

    suspects = [
        at for at, kind in enumerate(table.dtypes) if kind.kind not in "iufbM" and table.iloc[:, at].isna().any()
    ]
    if not suspects:
        return []
    raw = pd.read_csv(path, **options, usecols=suspects, keep_default_na=False, dtype=str)
    notes = []
    for name in raw.columns:
        words = raw[name].isin(["NA", "N/A", "None", "nan", "NaN", "null", "NULL", "n/a"])
        if words.any():
            found = raw.loc[words, name].value_counts()
            shown = ", ".join(f"{word!r} {count:,}" for word, count in found.items())
            notes.append(f"Column {str(name)[:60]} holds {shown}, read as null; keep_default_na=False keeps the word.")
    return notes[:5]


def _count_rows(path: str, header_lines: int) -> int:
    lines = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            lines += block.count(b"\n")
    return max(0, lines - header_lines)


def _parquet(path: str, name: str) -> Part:
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except Exception as error:
        raise Unreadable("Parquet", "It is damaged or cut off: its footer can't be read.") from error
    rows = file.metadata.num_rows
    groups = file.metadata.num_row_groups
    if sum(file.metadata.row_group(group).total_byte_size for group in range(groups)) > _WHOLE_BYTES:
        table = next(file.iter_batches(_FIRST_ROWS)).to_pandas()
    else:
        table = file.read().to_pandas()
    return Part("Parquet", f"pd.read_parquet({name!r})", table, rows)


def _json(path: str, name: str, kind: str) -> Part:
    import pandas as pd

    if kind == "JSON lines":
        large = os.stat(path).st_size > _WHOLE_BYTES
        limit = {"nrows": _FIRST_ROWS} if large else {}
        table = pd.read_json(path, lines=True, **limit)
        rows = _count_rows(path, 0) if large else None
        return Part(kind, f"pd.read_json({name!r}, lines=True)", table, rows)
    if os.stat(path).st_size > _WHOLE_BYTES:
        raise Unreadable("JSON", "It is too large to be looked at as a whole; read it in pieces.")
    with open(path, encoding="utf-8-sig") as file:
        try:
            value = json.load(file)
        except ValueError as error:
            raise Unreadable("JSON", f"It is not valid JSON: {error}.") from error
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return Part(kind, f"pd.DataFrame(json.load(open({name!r})))", pd.DataFrame(value))
    if isinstance(value, dict):
        keys = ", ".join(f"{str(key)[:40]!r}: {_json_kind(item)}" for key, item in list(value.items())[:30])
        return Part("JSON object", notes=[f"json.load(open({name!r})) has {len(value)} keys: {keys}"])
    return Part(f"JSON {_json_kind(value)}")


def _json_kind(value: object) -> str:
    if isinstance(value, list):
        return f"list of {len(value)}"
    if isinstance(value, dict):
        return f"object of {len(value)}"
    return {str: "text", bool: "true or false", int: "number", float: "number"}.get(type(value), "null")


def _excel(path: str, name: str) -> Iterator[Part]:
    import pandas as pd

    if os.stat(path).st_size > _WORKBOOK_BYTES:
        raise Unreadable(
            "Excel", f"It is too large to be looked at here; pd.read_excel({name!r}, nrows=1000) reads a part."
        )
    try:
        book = pd.ExcelFile(path)
    except ImportError as error:
        raise Unreadable("Excel", "It can't be read here: openpyxl is not installed.") from error
    except Exception as error:
        raise Unreadable("Excel", f"It is damaged: {type(error).__name__}.") from error
    with book:
        sheets = book.sheet_names
        for sheet in sheets[:_MAX_SHEETS]:
            code = f"pd.read_excel({name!r}, sheet_name={sheet!r})"
            table = pd.read_excel(book, sheet_name=sheet, nrows=_FIRST_ROWS)
            yield Part(f"Excel sheet {sheet!r}", code, table)
        if len(sheets) > _MAX_SHEETS:
            yield Part(f"{len(sheets) - _MAX_SHEETS} more sheets: {str(sheets[_MAX_SHEETS:])[:300]}")


def _sqlite(path: str) -> Part:
    import sqlite3
    from urllib.parse import quote

    with sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
    return Part("SQLite database", notes=[f"tables: {str(tables)[:500]}"])


def _is_workbook(path: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        # A cut-off workbook is reported as one.
        return path.lower().endswith((".xlsx", ".xlsm"))


def _is_json_lines(start: bytes) -> bool:
    """Whether the first two whole lines are objects of their own."""
    lines = [line for line in io.BytesIO(start).read().splitlines()[:3] if line.strip()]
    whole = 0
    for line in lines[:2]:
        try:
            whole += isinstance(json.loads(line), dict)
        except ValueError:
            return False
    return whole == 2
