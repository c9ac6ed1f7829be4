"""What must not be read by a model, as hashes: names, addresses, ids and free texts of the inputs.

Collected while the inputs are looked at, before any generated code runs, and kept on the host. Bounded: of very large
inputs it knows what it has seen, and says so. The rest is left to the host, which masks words that nobody knows.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Iterable
from typing import Any

from nl2code_guest.sensitive_columns import KINDS, Kind, holds, id_digits, is_private, lacks_header, looks_like_data
from nl2code_guest.word_hashes import MAX_VALUE_WORDS, SHINGLE, VALUE, WORD, WordTable, words_of

#: Where the host finds it, in the sandbox's checkpoint folder.
FILE = "sensitive.json"

_MAX_DISTINCT = 100_000
_HASTY_DISTINCT = 5_000
_HASTY_ENTRIES = 1_000_000
#: Twelve bytes each where the host reads them, and it takes 32 MiB. Free texts leave room for names after them.
_MAX_ENTRIES = 2_000_000
_MAX_TEXT_ENTRIES = 1_500_000
_MAX_CHARS = 20_000
_SECONDS = 10.0
_MAX_CATEGORIES = 2_000
_MAX_COLUMNS = 2_000
_ROWS = 200_000
#: Words of a name that stand in every text.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """
    the and for of in to is it an a at by on or as be no not if so we he me my us do go up you all are was has had
    but can may will one two new old out from with this that than then them they their there here have been were
    what when who how der die das und von zu im den dem des ein eine de la le les du et el los y e da do dos di
    del al van st mr mrs ms dr co inc ltd gmbh index name row rows column columns type true false none nan null
    dtype length
        """,
    )
)
_KEY = re.compile(r"[^\W\d]\w{0,59}([ .-]\w{1,40}){0,5}")


class Sensitive:
    """Collects from one input after the other; `write` leaves it where the host reads it."""

    def __init__(self) -> None:
        self._table = WordTable()
        self._keys: list[Any] = []
        self._kinds: list[Any] = []
        self._entries = 0
        self._until = time.monotonic() + _SECONDS
        self._parts: list[dict[str, Any]] = []
        self._categories: dict[str, None] = {}
        self._digits: set[int] = set()
        self._partial: list[str] = []
        self._unread: list[str] = []

    def unread(self, file: str) -> None:
        """Notes a file whose content is not known."""
        self._unread.append(file)

    def part(self, file: str, kind: str, code: str, table: Any, rows: int) -> None:
        """Takes a table of a file."""
        columns = []
        no_header = lacks_header(table)
        if len(table) < rows:
            self._is_partial(file)
        for position, name in enumerate(table.columns[:_MAX_COLUMNS]):
            values = table.iloc[:, position]
            self._column(file, values, str(name))
            is_data = looks_like_data(str(name), no_header)
            if is_data:
                self._texts(file, [str(name)], "name")
            columns.append({"name": None if is_data else str(name), "dtype": str(values.dtype)[:60]})
        self._parts.append({"file": file, "kind": kind[:200], "code": code[:400], "rows": rows, "columns": columns})

    def other(self, path: str, file: str, kind: str) -> None:
        """Takes a file that is no table: its lines, its strings, or the tables of a database."""
        self._parts.append({"file": file, "kind": kind[:200], "code": "", "rows": None, "columns": []})
        if kind.startswith("text"):
            with open(path, encoding="utf-8", errors="replace") as opened:
                self._texts(file, (line for line, _ in zip(opened, range(_ROWS), strict=False)), "text")
        elif kind.startswith("JSON"):
            with open(path, encoding="utf-8-sig") as opened:
                value = json.load(opened)
            keys = [str(key) for key in value] if isinstance(value, dict) else []
            if len(keys) <= 50 and all(_KEY.fullmatch(key) and not is_private(key) for key in keys):
                self._parts[-1]["columns"] = [{"name": key, "dtype": type(value[key]).__name__} for key in keys]
                keys = []
            self._texts(file, [*keys, *_strings(value)], "text")
        elif kind.startswith("SQLite"):
            self._database(path, file)
        else:
            self.unread(file)

    def left_out(self) -> list[str]:
        """The files of which more is there than is noted."""
        return list(self._partial)

    def write(self, versions: str) -> None:
        """Writes it whole or not at all, with the versions that code can use."""
        import numpy as np

        keys = np.concatenate([*self._keys, np.empty(0)])
        kinds = np.concatenate([*self._kinds, np.empty(0, dtype=np.uint8)])
        keys, first = np.unique(keys, return_index=True)
        held = {
            "v": 1,
            "versions": versions[:4000],
            "parts": self._parts,
            "categories": list(self._categories),
            "digits": sorted(self._digits),
            "partial": self._partial,
            "unread": self._unread,
            "kinds": list(KINDS),
            "keys": base64.b64encode(keys.astype("<f8").tobytes()).decode(),
            "kindOf": base64.b64encode(kinds[first].astype(np.uint8).tobytes()).decode(),
        }
        path = os.path.join(os.environ.get("NL2CODE_CHECKPOINT", "/checkpoint"), FILE)
        with open(f"{path}.part", "w", encoding="utf-8") as file:
            json.dump(held, file)
        os.replace(f"{path}.part", path)

    def _is_partial(self, file: str) -> None:
        if file not in self._partial:
            self._partial.append(file)

    def _column(self, file: str, values: Any, name: str) -> None:
        kind = getattr(values.dtype, "kind", "O")
        if kind in "iuf":
            self._digits |= id_digits(values, name)
        elif kind not in "bMmc":
            present = values.dropna()
            try:
                distinct = present.unique()
            except TypeError:
                distinct = list(_strings(present.head(_ROWS).tolist()))
            texts = [value for value in distinct if isinstance(value, str) and value.strip()]
            self._column_texts(file, texts, len(present), name)

    def _column_texts(self, file: str, distinct: list[str], rows: int, name: str) -> None:
        found = holds(distinct, rows, name) if distinct else None
        if found == "category":
            if len(self._categories) + len(distinct) <= _MAX_CATEGORIES:
                self._categories.update(dict.fromkeys(distinct))
            else:
                self._texts(file, distinct, "text")
        elif found is not None:
            self._texts(file, distinct, found)

    def _texts(self, file: str, values: Iterable[str], kind: Kind) -> None:
        """Hashes of whole values, of three words in a row, and of single words where one of them may name somebody."""
        import numpy as np

        hasty = time.monotonic() > self._until or self._entries > _HASTY_ENTRIES
        most = _HASTY_DISTINCT if hasty else _MAX_DISTINCT
        room = (_MAX_TEXT_ENTRIES if kind == "text" else _MAX_ENTRIES) - self._entries
        ids: list[int] = []
        lengths: list[int] = []
        single: set[str] = set()
        for number, value in enumerate(dict.fromkeys(values)):
            if number == most or (number % 1024 == 0 and not hasty and time.monotonic() > self._until):
                self._is_partial(file)
                break
            words = words_of(value[:_MAX_CHARS])
            # Each word begins a run of three at most, and of a name it counts alone too.
            room -= len(words) if kind == "text" else 2 * len(words)
            if room < 0:
                self._is_partial(file)
                break
            lengths.append(len(words))
            ids += self._table.ids(words)
            if kind == "phone":
                single.add("".join(word for word in words if word.isdigit()))
            elif kind != "text":
                single.update(words_of(value.partition("@")[0]) if kind == "email" else words)
        runs, sizes = np.array(ids, dtype=np.int64), np.array(lengths, dtype=np.int64)
        begins = np.cumsum(sizes) - sizes
        for size in range(1, MAX_VALUE_WORDS + 1):
            at = begins[sizes == size]
            self._add(VALUE, runs[at[:, None] + np.arange(size)], kind, size == 1)
        if len(runs) > 2:
            owner: Any = np.repeat(np.arange(len(sizes)), sizes)
            at = np.flatnonzero(owner[:-2] == owner[2:])
            self._add(SHINGLE, runs[at[:, None] + np.arange(3)], kind)
        named = [word for word in single if len(word) > 1 and _is_telling(word)]
        self._add(WORD, np.array(self._table.ids(named), dtype=np.int64)[:, None], kind)

    def _add(self, seed: int, runs: Any, kind: Kind, alone: bool = False) -> None:
        import numpy as np

        if alone:
            words = self._table.words(runs[:, 0])
            runs = runs[np.array([len(word) > 2 and _is_telling(word) for word in words], dtype=bool)]
        if len(runs) == 0:
            return
        keys = np.unique(self._table.keys(seed, runs))
        self._keys.append(keys)
        self._kinds.append(np.full(len(keys), KINDS.index(kind), dtype=np.uint8))
        self._entries += len(keys)

    def _database(self, path: str, file: str) -> None:
        import sqlite3
        from urllib.parse import quote

        import pandas as pd

        with sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True) as database:
            tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
            for name in tables[:50]:
                quoted = '"' + name.replace('"', '""') + '"'
                table = pd.read_sql_query(f"select * from {quoted} limit {_ROWS}", database)
                self.part(file, f"table {name!r}", "", table, len(table))
                if len(table) == _ROWS:
                    self._is_partial(file)


def _is_telling(word: str) -> bool:
    """Whether a word alone may identify: no short number, nothing that stands everywhere."""
    return len(word) > 6 if word.isdigit() else word not in _COMMON


def _strings(value: Any, depth: int = 0) -> Iterable[str]:
    """Every text in nested lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth < 12:
        for item in value.values():
            yield from _strings(item, depth + 1)
    elif isinstance(value, list | tuple) and depth < 12:
        for item in value:
            yield from _strings(item, depth + 1)
