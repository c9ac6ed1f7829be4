"""The files of the workspace: finds what has changed since an index was made, and puts contents into segments.

Laws:
1. A file whose entry is certain (see `workspace_index`) is not read: a look at a thousand files takes milliseconds.
2. A file that is written while it is copied is copied again; when it never holds still it is kept as it was read, with
   an empty stamp and a note, never silently.
3. Nothing is read through a symbolic link, and nothing outside of the workspace.
4. Left out: `__pycache__` folders (Python makes them anew), sockets, pipes and devices. Of inputs only the link is
   noted. Names of one inode become files of their own; owners, times of folders and extended attributes are not kept.
5. The index is not changed: who saves takes the new one when the save has become one.

A file that is mapped shared and writable (`np.memmap`) changes without its times saying so: its stamp stays empty for
as long as this process maps it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from nl2code_guest.checkpoint.buffers import Chunk
from nl2code_guest.checkpoint.file_contents import ChangedMeanwhile, store_contents
from nl2code_guest.checkpoint.folder_access import enter
from nl2code_guest.checkpoint.input_links import InputLinks
from nl2code_guest.checkpoint.segment_writer import SegmentWriter
from nl2code_guest.checkpoint.segments import Segments
from nl2code_guest.checkpoint.workspace_index import (
    Entry,
    FileEntry,
    FolderEntry,
    Index,
    InputEntry,
    LinkEntry,
    OpaqueEntry,
    is_settled,
    is_unchanged,
    stamp_of,
    time_to_read,
)
from nl2code_guest.checkpoint.workspace_restore import Restored, restore_workspace

_ATTEMPTS = 3
#: Deeper than this is not looked at; the host's own count ends earlier.
_MAX_DEPTH = 128


@dataclass(frozen=True)
class Captured:
    """What a workspace holds now."""

    #: All of it, with the stamps of now.
    index: Index
    #: Entries that are not what they were, or new.
    entries: Index
    #: Paths that are gone.
    removed: list[str]
    #: Sentences about files that could not be kept as they are.
    notes: list[str]


class WorkspaceFiles:
    """The workspace of a session."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._inputs = InputLinks(folder)

    def capture(self, index: Index, writer: SegmentWriter) -> Captured:
        """Compares the workspace with the index and puts the contents of what has changed.

        Raises:
            OSError: contents could not be written, or the workspace itself can't be read; the writer has taken its
                bytes back then.
        """
        walk = _Walk(index, writer, self._inputs)
        top = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            walk.folder(top, "", 0)
        finally:
            os.close(top)
        new = walk.found
        entries = {path: entry for path, entry in new.items() if not _is_same(entry, index.get(path))}
        return Captured(new, entries, sorted(path for path in index if path not in new), walk.notes)

    def restore(self, index: Index, segments: Segments, keep: bool = False) -> Restored:
        """Makes the workspace what the index says, or with `keep` adds what is missing; see `workspace_restore`."""
        return restore_workspace(self.folder, index, segments, self._inputs, keep)


class _Walk:
    """One look through a workspace."""

    def __init__(self, index: Index, writer: SegmentWriter, inputs: InputLinks) -> None:
        self.found: Index = {}
        self.notes: list[str] = []
        self._index = index
        self._writer = writer
        self._inputs = inputs
        self._contents: dict[str, Chunk] | None = None
        self._shared: set[int] | None = None

    def folder(self, fd: int, prefix: str, depth: int) -> None:
        """Looks at everything below an open folder."""
        for name, found in _members(fd):
            path = prefix + name
            kind = stat.S_IFMT(found.st_mode)
            if kind == stat.S_IFREG:
                self._file(fd, name, path, found)
            elif kind == stat.S_IFLNK:
                self._link(fd, name, path)
            elif kind == stat.S_IFDIR and name != "__pycache__":
                self._inner(fd, name, path, found, depth)

    def _inner(self, fd: int, name: str, path: str, found: os.stat_result, depth: int) -> None:
        try:
            if depth >= _MAX_DEPTH:
                raise PermissionError
            inner = enter(name, fd)
        except FileNotFoundError:
            return
        except (PermissionError, NotADirectoryError):
            self._unreadable(path)
            return
        try:
            self.found[path] = FolderEntry("folder", stat.S_IMODE(found.st_mode))
            self.folder(inner, path + "/", depth + 1)
        finally:
            os.close(inner)

    def _link(self, fd: int, name: str, path: str) -> None:
        if path == name and self._inputs.is_one(name, fd):
            self.found[path] = InputEntry("input")
            return
        with contextlib.suppress(FileNotFoundError):
            self.found[path] = LinkEntry("link", os.readlink(name, dir_fd=fd))

    def _file(self, fd: int, name: str, path: str, found: os.stat_result) -> None:
        known = self._index.get(path)
        if is_unchanged(known, found):
            assert known is not None
            self.found[path] = known
            return
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
        except FileNotFoundError:
            return
        except OSError:
            self._unreadable(path)
            return
        try:
            self.found[path] = self._stored(file, path)
        finally:
            os.close(file)

    def _stored(self, file: int, path: str) -> FileEntry:
        if self._contents is None:
            self._contents = _contents_of(self._index)
        for attempt in range(_ATTEMPTS):
            before = os.fstat(file)
            now = time_to_read(before)
            last = attempt == _ATTEMPTS - 1
            try:
                chunks = store_contents(file, self._writer, self._contents, restless=last)
            except ChangedMeanwhile:
                continue
            after = os.fstat(file)
            steady = _times(before) == _times(after)
            if steady:
                break
        if not steady:
            self.notes.append(f"{path!r} was being written while it was saved: what was kept may be a mixture.")
        certain = steady and is_settled(after, now) and not self._is_mapped(after)
        size = sum(chunk.length for chunk in chunks)
        stamp = stamp_of(after) if certain else ""
        return FileEntry("file", stat.S_IMODE(after.st_mode), size, after.st_mtime_ns, stamp, chunks)

    def _unreadable(self, path: str) -> None:
        self.found[path] = OpaqueEntry("opaque")
        self.notes.append(f"{path!r} can't be read and is not saved; give its owner the right to read it (chmod u+r).")

    def _is_mapped(self, found: os.stat_result) -> bool:
        if self._shared is None:
            self._shared = _shared_inodes()
        return found.st_ino in self._shared


def _members(fd: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(fd) as entries:
        members = list(entries)
    for member in members:
        try:
            found = member.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield member.name, found


def _is_same(entry: Entry, old: Entry | None) -> bool:
    """Whether a state need not tell this entry again: a stamp alone is no change."""
    if entry is not old and isinstance(entry, FileEntry) and isinstance(old, FileEntry):
        return entry._replace(stamp="") == old._replace(stamp="")
    return entry == old


def _contents_of(index: Index) -> dict[str, Chunk]:
    files = (entry for entry in index.values() if isinstance(entry, FileEntry))
    return {chunk.hash: chunk for file in files for chunk in file.chunks if chunk.hash}


def _times(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _shared_inodes() -> set[int]:
    """Inodes of the files that this process maps shared and writable."""
    try:
        with open("/proc/self/maps", "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return set()
    fields = (line.split(None, 5) for line in lines if b" rw-s " in line or b" rwxs " in line)
    return {int(field[4]) for field in fields if len(field) == 6}
