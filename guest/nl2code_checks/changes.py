"""What a script's outputs changed against those of an earlier request, in numbers. Runs where no generated code does.

Both sides were written by generated scripts and are hostile: sizes are bounded before anything is decoded, and a
file that can't be read is told as such and never ends the comparison of the others.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Final, NotRequired, TypedDict

from nl2code_checks.compare import compare_files
from nl2code_checks.table_changes import TableChange, short, table_change
from nl2code_checks.table_reading import MAX_BYTES, TooLarge, is_table, read_records, read_table

MAX_FILES: Final = 20
MAX_VALUES: Final = 20
MAX_LEAVES: Final = 20_000
SECONDS: Final = 20.0
TEXTS: Final = (".txt", ".md", ".html", ".htm", ".svg", ".xml", ".log", ".sql", ".py", ".yaml", ".yml", ".toml")
IMAGES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")


class Value(TypedDict):
    """One value of a document that changed, as text; None where it was not there."""

    at: str
    before: str | None
    after: str | None


class Change(TypedDict):
    """How one file changed.

    ``kind``: ``same``, ``new``, ``gone``, ``table``, ``values`` (a JSON document), ``text`` (lines), ``image``,
    ``file`` (other bytes), ``unread`` (``detail`` says why).
    """

    path: str
    kind: str
    detail: NotRequired[str]
    table: NotRequired[TableChange]
    values: NotRequired[list[Value]]
    lines: NotRequired[tuple[int, int]]


def output_changes(
    before: Path, after: Path, names: list[str], others: list[str], keys: dict[str, str]
) -> list[Change]:
    """Compares every output of a request with the file of the same path that an earlier one left.

    Args:
        before: Folder with the earlier outputs.
        after: Folder with the new ones.
        names: Paths of the earlier files, relative to the folder.
        others: Paths of the new files.
        keys: Declared key column by path.

    Returns:
        One entry a file, in order of path, at most ``MAX_FILES``.
    """
    until = time.monotonic() + SECONDS
    changes: list[Change] = []
    for name in sorted({*names, *others})[:MAX_FILES]:
        if name not in names or name not in others:
            changes.append(Change(path=name, kind="gone" if name in names else "new"))
        elif time.monotonic() > until:
            changes.append(Change(path=name, kind="unread", detail="comparing the files before it took too long"))
        else:
            changes.append(_changed(before / name, after / name, name, keys.get(name), until))
    return changes


def _changed(before: Path, after: Path, name: str, key: str | None, until: float) -> Change:
    try:
        if max(before.stat().st_size, after.stat().st_size) > MAX_BYTES:
            raise TooLarge(f"more than {MAX_BYTES} bytes")
        if compare_files(before, after, name) is None:
            return Change(path=name, kind="same")
        return _difference(before, after, name, key, until)
    except TooLarge as error:
        return Change(path=name, kind="unread", detail=f"too large to be compared: {error}")
    except MemoryError:
        return Change(path=name, kind="unread", detail="too large to be compared in the sandbox's memory")
    # A decoder may raise anything over bytes that were made to break it.
    except Exception as error:
        return Change(path=name, kind="unread", detail=f"{type(error).__name__}: {str(error)[:200]}")


def _difference(before: Path, after: Path, name: str, key: str | None, until: float) -> Change:
    lower = name.lower()
    if is_table(lower):
        return Change(
            path=name, kind="table", table=table_change(read_table(before, lower), read_table(after, lower), key, until)
        )
    if lower.endswith((".json", ".geojson")):
        a, b = (json.loads(path.read_bytes()) for path in (before, after))
        frames = read_records(a), read_records(b)
        if frames[0] is not None and frames[1] is not None:
            return Change(path=name, kind="table", table=table_change(frames[0], frames[1], key, until))
        return _values(name, a, b)
    if lower.endswith(IMAGES):
        return Change(path=name, kind="image")
    if lower.endswith(TEXTS):
        lines = [Counter(path.read_bytes().splitlines()) for path in (before, after)]
        return Change(path=name, kind="text", lines=((lines[0] - lines[1]).total(), (lines[1] - lines[0]).total()))
    return Change(path=name, kind="file", detail=f"{after.stat().st_size} bytes, {before.stat().st_size} before")


def _values(name: str, before: object, after: object) -> Change:
    a, b = _leaves(before), _leaves(after)
    changed = [at for at in [*a, *(at for at in b if at not in a)] if a.get(at) != b.get(at)]
    values = [Value(at=short(at), before=a.get(at), after=b.get(at)) for at in changed[:MAX_VALUES]]
    change = Change(path=name, kind="values", values=values)
    if len(changed) > MAX_VALUES:
        change["detail"] = f"{len(changed) - MAX_VALUES} more"
    return change


def _leaves(document: object) -> dict[str, str]:
    """Returns the scalars of a document by where they stand, however deep they are nested."""
    leaves: dict[str, str] = {}
    open_parts: list[tuple[str, object]] = [("", document)]
    while open_parts:
        at, part = open_parts.pop()
        if len(leaves) + len(open_parts) > MAX_LEAVES:
            raise TooLarge(f"more than {MAX_LEAVES} values")
        if isinstance(part, dict):
            open_parts += [(f"{at}.{key}" if at else str(key), value) for key, value in reversed(part.items())]
        elif isinstance(part, list):
            open_parts += [(f"{at}[{i}]", value) for i, value in reversed(list(enumerate(part)))]
        else:
            leaves[at[:300]] = short(part)
    return leaves
