"""The built-in look at the inputs: what every file holds, without showing anybody's data.

Runs as a cell, so it prints. One sentence for a file it can't read; bounded however many and however wide they are.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable
from typing import Any

from nl2code_guest.inspection_columns import describe_columns
from nl2code_guest.inspection_files import Unreadable, kind_of, read_table
from nl2code_guest.installed import installed_packages
from nl2code_guest.sensitive import Sensitive

#: What a model is shown of one observation is about this long.
MAX_CHARS = 7_500
_MIN_FILE_CHARS = 900
_MAX_FILES = 60


def report(keep_sensitive: bool = False) -> None:
    """Prints the versions a script can pin and the look at every file in `NL2CODE_INPUTS` (default `/inputs`).

    With `keep_sensitive`, hashes of what a model must not read are left for the host; see `sensitive`.
    """
    folder = os.environ.get("NL2CODE_INPUTS", "/inputs")
    print(_versions())
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        print(f"The inputs can't be listed: {error.strerror}.")
        return
    sensitive = Sensitive() if keep_sensitive else None
    told = _print_look(folder, names, sensitive)
    if sensitive is not None:
        for name in names[told:]:
            describe_file(os.path.join(folder, name), name, _MIN_FILE_CHARS, sensitive)
        sensitive.write(_versions())
        _name_left_out(sensitive.left_out())


def _print_look(folder: str, names: list[str], sensitive: Sensitive | None) -> int:
    """How many files there was room for."""
    if not names:
        print("There are no input files.")
        return 0
    print(f"{_some(len(names), 'input file')}, in the current directory under {_their(names)}.")
    left = MAX_CHARS
    told = 0
    for name in names[:_MAX_FILES]:
        share = max(_MIN_FILE_CHARS, left // min(len(names) - told, _MAX_FILES))
        text = describe_file(os.path.join(folder, name), name, min(share, left), sensitive)
        print(f"\n{text}")
        told += 1
        left -= len(text)
        if left < 200:
            break
    _name_rest(names[told:])
    return told


def describe_file(path: str, name: str, most: int, sensitive: Sensitive | None = None) -> str:
    """What one file holds, in at most about `most` characters. Never raises for what is in it."""
    title = _shown_name(name)
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return f"{title} · not a file"
        size = found.st_size
        if size == 0:
            return f"{title} · empty, 0 bytes"
        title = f"{title} · {{}} · {_size(size)}"
        broken = (lambda: sensitive.unread(name)) if sensitive else (lambda: None)
        return _guarded(lambda: _describe(path, name, title, most, sensitive), title, broken)
    except OSError as error:
        return f"{title} · can't be opened: {error.strerror}."


def _guarded(describe: Callable[[], str], title: str, broken: Callable[[], object]) -> str:
    try:
        return describe()
    except Unreadable as error:
        broken()
        return title.format(error.kind) + f"\n  {error}"
    except MemoryError:
        broken()
        return title.format("file") + "\n  It is too large to be looked at as a whole here; read it in pieces."
    except Exception as error:
        broken()
        first = (str(error).splitlines() or [""])[0][:160]
        return title.format("file") + f"\n  It can't be read: {type(error).__name__}: {first}"


def _describe(path: str, name: str, title: str, most: int, sensitive: Sensitive | None) -> str:
    kind = kind_of(path, name)
    if kind is None:
        raise Unreadable("unknown kind", "It is neither a table nor text.")
    lines: list[str] = []
    for part in read_table(path, name, kind):
        if part.table is None:
            lines.append(title.format(part.kind) if not lines else f"  {part.kind}")
            lines += [f"  {note}" for note in part.notes]
            if sensitive is not None:
                sensitive.other(path, name, part.kind)
            continue
        rows = part.rows if part.rows is not None else len(part.table)
        if sensitive is not None:
            sensitive.part(name, part.kind, part.code, part.table, rows)
        shape = f"{part.kind} · {_some(rows, 'row')} × {_some(part.table.shape[1], 'column')}"
        lines.append(title.format(shape) if not lines else f"  {shape}")
        lines.append(f"  {part.code}")
        lines += [f"  {note}" for note in part.notes]
        if len(part.table) < rows:
            lines.append(f"  The figures below are of the first {len(part.table):,} rows.")
        repeated = _repeated(part.table)
        if repeated:
            lines.append(f"  {repeated:,} rows are exact repeats of an earlier row.")
        lines += describe_columns(part.table, most - sum(map(len, lines)))
    return "\n".join(lines)


def _repeated(table: Any) -> int:
    if table.size > 20_000_000:
        return 0
    try:
        return int(table.duplicated().sum())
    except TypeError:
        # Lists and dicts can't be compared this way.
        return 0


def _versions() -> str:
    python = f"Python {'.'.join(map(str, sys.version_info[:3]))}"
    return ", ".join([python, *(f"{name} {version}" for name, version in installed_packages().items())]) + "."


def _name_rest(names: list[str]) -> None:
    if names:
        shown = ", ".join(_shown_name(name) for name in names[:20])
        print(f"\nNot looked at: {len(names)} more ({shown}{', …' if len(names) > 20 else ''}).")


def _name_left_out(names: list[str]) -> None:
    if names:
        shown = ", ".join(_shown_name(name) for name in names[:20])
        print(
            f"\nToo large to be noted whole for masking: {shown}{', …' if len(names) > 20 else ''}. "
            "Words of the rest are placeholders where nobody knows them."
        )


def _shown_name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_][\w.\- ]*", name) and len(name) <= 120 else repr(name)[:200]


def _some(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _their(names: list[str]) -> str:
    return "its name" if len(names) == 1 else "their names"


def _size(size: float) -> str:
    if size < 1000:
        return f"{size:.0f} bytes"
    for unit in ("kB", "MB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} GB"
