"""What a workspace holds, as a state says it: `{path: entry}`, paths relative, with `/` between their parts.

| entry | |
|---|---|
| `["file", mode, size, mtime_ns, stamp, chunks]` | chunks as in `buffers`, by sha256; a hole has no hash, no segment |
| `["folder", mode]` | |
| `["link", target]` | a symbolic link, never followed |
| `["input"]` | a link to an input of that name, wherever the inputs are on this machine |
| `["opaque"]` | something that can't be read; a restore leaves alone what is there |

A `stamp` names boot, inode and ctime. Where it, the mode, the size and the mtime of a file are what they were, its
content is what it was: a write changes the ctime, which no program can set back, and the loss of power that may undo a
write changes the boot. It is empty when a write could follow within the same tick of the file system's clock, or
through shared memory, and so go unseen: then only the content tells.

Names that are not UTF-8 hold surrogates (`os.fsdecode`), which JSON carries only escaped: `json.dumps` does so unless
told otherwise.
"""

from __future__ import annotations

import os
import stat
import time
from typing import Literal, NamedTuple

from nl2code_guest.checkpoint.buffers import Chunk, to_chunk
from nl2code_guest.checkpoint.segment_format import TornSegment
from nl2code_guest.checkpoint.verified_record import boot_id

#: Clock that Linux takes the times of files from; it stands still between ticks of at most 10 ms.
_CLOCK_REALTIME_COARSE = 5
#: Reading a file of this size anew at the next save costs more than waiting for the next tick of the clock now.
_WORTH_A_TICK_BYTES = 4 << 20
_MAX_TICK_NS = 20_000_000
#: A file system whose times are whole ones of it may have times that count no less.
_SECOND_NS = 1_000_000_000


class FileEntry(NamedTuple):
    """A regular file."""

    kind: Literal["file"]
    mode: int
    size: int
    mtime_ns: int
    stamp: str
    chunks: list[Chunk]


class FolderEntry(NamedTuple):
    """A folder."""

    kind: Literal["folder"]
    mode: int


class LinkEntry(NamedTuple):
    """A symbolic link."""

    kind: Literal["link"]
    target: str


class InputEntry(NamedTuple):
    """A link to one of the session's inputs."""

    kind: Literal["input"]


class OpaqueEntry(NamedTuple):
    """Something whose content is not known."""

    kind: Literal["opaque"]


Entry = FileEntry | FolderEntry | LinkEntry | InputEntry | OpaqueEntry
Index = dict[str, Entry]


def to_entry(value: object) -> Entry:
    """An entry as JSON gave it.

    Raises:
        TornSegment: it is none.
    """
    match value:
        case ["file", int() as mode, int() as size, int() as mtime_ns, str() as stamp, [*chunks]]:
            return FileEntry("file", mode, size, mtime_ns, stamp, [to_chunk(chunk) for chunk in chunks])
        case ["folder", int() as mode]:
            return FolderEntry("folder", mode)
        case ["link", str() as target] if target and "\0" not in target:
            return LinkEntry("link", target)
        case ["input"]:
            return InputEntry("input")
        case ["opaque"]:
            return OpaqueEntry("opaque")
    raise TornSegment("A state has an entry for a file that no guest has written.")


def to_index(entries: dict[str, object]) -> Index:
    """A whole index as JSON gave it.

    Raises:
        TornSegment: an entry is none, or a path leads out of the workspace or through something that is no folder.
    """
    index = {path: to_entry(value) for path, value in entries.items()}
    for path in index:
        parent, _, name = path.rpartition("/")
        inside = isinstance(index.get(parent), FolderEntry) if parent else path == name
        if name in ("", ".", "..") or "\0" in name or not inside:
            raise TornSegment(f"A state has {path!r} among the files of the workspace.")
    return index


def stamp_of(found: os.stat_result) -> str:
    """The stamp of a file that had this stat."""
    return f"{boot_id()[:12]}-{found.st_ino:x}-{found.st_ctime_ns:x}"


def is_unchanged(entry: Entry | None, found: os.stat_result) -> bool:
    """Whether the file that has this stat is the one of the entry, with certainty."""
    return (
        isinstance(entry, FileEntry)
        and entry.size == found.st_size
        and entry.mtime_ns == found.st_mtime_ns
        and entry.mode == stat.S_IMODE(found.st_mode)
        and entry.stamp == stamp_of(found)
    )


def file_clock_ns() -> int:
    """The time that a write at this moment would give a file."""
    try:
        return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)
    except OSError:
        return time.time_ns()


def is_settled(found: os.stat_result, now_ns: int) -> bool:
    """Whether any write after `now_ns` will show in the file's times."""
    coarse = found.st_ctime_ns % _SECOND_NS == 0
    return found.st_ctime_ns < now_ns - (2 * _SECOND_NS if coarse else 0)


def time_to_read(found: os.stat_result) -> int:
    """The time of `file_clock_ns` to judge by when this file is read next; waits for it when the file is large."""
    now = file_clock_ns()
    if found.st_size >= _WORTH_A_TICK_BYTES:
        deadline = time.monotonic_ns() + _MAX_TICK_NS
        while not is_settled(found, now) and time.monotonic_ns() < deadline:
            time.sleep(0.001)
            now = file_clock_ns()
    return now
