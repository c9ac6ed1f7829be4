"""Makes a workspace what an index says: adds, rewrites, removes.

Laws:
1. A file that is certainly the one of its entry is left alone; one that may be it is compared by content; any other is
   written beside its place and renamed into it, so that no file that has another name elsewhere is changed.
2. Everything goes by descriptors of the folders on the way. No link is followed: not one in the workspace, not one
   that takes a folder's place meanwhile. Nothing outside of the workspace is touched.
3. A restore that is cut off is repaired by the next one, which does all of it again. On a full disk what has to go goes
   first.
4. What the index does not know about is removed, but for links to inputs, which are the host's, and `__pycache__`,
   which goes only when a file beside it changed. What is opaque stays as it is.
5. With `keep`, what stands in the workspace came there since and stays, whatever it is: only what is missing is
   written.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass

from nl2code_guest.checkpoint.fail_points import fail_point
from nl2code_guest.checkpoint.file_contents import has_contents, write_contents
from nl2code_guest.checkpoint.folder_access import enter_to_change, remove
from nl2code_guest.checkpoint.input_links import InputLinks
from nl2code_guest.checkpoint.machine_trouble import is_full
from nl2code_guest.checkpoint.segments import Segments
from nl2code_guest.checkpoint.workspace_index import (
    FileEntry,
    FolderEntry,
    Index,
    InputEntry,
    LinkEntry,
    is_settled,
    is_unchanged,
    stamp_of,
    time_to_read,
)


@dataclass(frozen=True)
class Restored:
    """What a restore did."""

    #: The index with the stamps that the files have now; what the next capture compares with.
    index: Index
    #: Paths that were written, and that were removed.
    written: list[str]
    removed: list[str]
    #: Sentences about what could not be made as it was.
    notes: list[str]


def restore_workspace(
    folder: str, index: Index, segments: Segments, inputs: InputLinks, keep: bool = False
) -> Restored:
    """Makes the folder what the index (of `to_index` or a capture) says.

    Raises:
        TornSegment: contents can't be had; the workspace may be half restored.
        OSError: something could not be written or removed; the same.
    """
    restore = _Restore(index, segments, inputs, keep)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            restore.folder(top, "")
        except OSError as error:
            if keep or not is_full(error):
                raise
            # What has to go may be what fills the disk.
            restore.clear(top, "")
            restore.folder(top, "")
        restore.stamp()
    finally:
        os.close(top)
    return Restored(restore.index, restore.written, restore.removed, restore.notes)


class _Restore:
    """One restore."""

    def __init__(self, index: Index, segments: Segments, inputs: InputLinks, keep: bool) -> None:
        self.index = dict(index)
        self.written: list[str] = []
        self.removed: list[str] = []
        self.notes: list[str] = []
        self._segments = segments
        self._inputs = inputs
        self._keep = keep
        self._names: dict[str, list[str]] = {}
        #: Stats of files that are what they should be, but under a stamp that the index does not have.
        self._fresh: dict[str, os.stat_result] = {}
        for path in index:
            parent, _, name = path.rpartition("/")
            self._names.setdefault(parent + "/" if parent else "", []).append(name)

    def folder(self, fd: int, prefix: str) -> None:
        """Makes an open folder what the index says of it."""
        wanted = self._names.get(prefix, [])
        present: dict[str, os.stat_result] = {}
        with os.scandir(fd) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    present[entry.name] = entry.stat(follow_symlinks=False)
        changes = len(self.written) + len(self.removed)
        for name in sorted(present.keys() - set(wanted)) if not self._keep else ():
            if name != "__pycache__" and not (prefix == "" and self._inputs.is_one(name, fd)):
                self._remove(fd, name, prefix + name)
        for name in wanted:
            self._entry(fd, name, prefix + name, present.get(name))
        if "__pycache__" in present and len(self.written) + len(self.removed) > changes:
            # Python takes byte code for current when a source has its size and its second.
            remove("__pycache__", fd)

    def clear(self, fd: int, prefix: str) -> None:
        """Removes what an open folder should not hold, and files that are certainly others than they should be."""
        wanted = set(self._names.get(prefix, ()))
        for name in os.listdir(fd):
            path = prefix + name
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            entry = self.index[path] if name in wanted else None
            if isinstance(entry, FolderEntry) and stat.S_ISDIR(found.st_mode):
                inner = enter_to_change(name, fd)
                try:
                    self.clear(inner, path + "/")
                finally:
                    os.close(inner)
            elif isinstance(entry, FileEntry):
                if not stat.S_ISREG(found.st_mode) or found.st_size != entry.size:
                    self._remove(fd, name, path)
            elif entry is None and name != "__pycache__" and not (prefix == "" and self._inputs.is_one(name, fd)):
                self._remove(fd, name, path)

    def stamp(self) -> None:
        """Gives the files that were written or compared their new stamps."""
        for path, found in self._fresh.items():
            entry = self.index[path]
            assert isinstance(entry, FileEntry)
            certain = is_settled(found, time_to_read(found))
            self.index[path] = entry._replace(stamp=stamp_of(found) if certain else "")

    def _entry(self, fd: int, name: str, path: str, present: os.stat_result | None) -> None:
        if self._keep and present is not None:
            if isinstance(self.index[path], FolderEntry) and stat.S_ISDIR(present.st_mode):
                self._inner(fd, name, path, stat.S_IMODE(present.st_mode), present)
            return
        match self.index[path]:
            case FileEntry() as file:
                self._file(fd, name, path, file, present)
            case FolderEntry(mode=mode):
                self._inner(fd, name, path, mode, present)
            case LinkEntry(target=target):
                self._link(fd, name, path, target)
            case InputEntry():
                self._input(fd, name, path)

    def _inner(self, fd: int, name: str, path: str, mode: int, present: os.stat_result | None) -> None:
        if present is None or not stat.S_ISDIR(present.st_mode):
            self._remove(fd, name, path)
            os.mkdir(name, 0o700, dir_fd=fd)
            self._wrote(path)
        inner = enter_to_change(name, fd)
        try:
            self.folder(inner, path + "/")
            if stat.S_IMODE(os.fstat(inner).st_mode) != mode:
                os.fchmod(inner, mode)
        finally:
            os.close(inner)

    def _link(self, fd: int, name: str, path: str, target: str) -> None:
        with contextlib.suppress(OSError):
            if os.readlink(name, dir_fd=fd) == target:
                return
        self._remove(fd, name, path)
        os.symlink(target, name, dir_fd=fd)
        self._wrote(path)

    def _input(self, fd: int, name: str, path: str) -> None:
        if self._inputs.is_one(name, fd):
            return
        target = self._inputs.target(name)
        if target is None:
            self.notes.append(f"The input {name!r} is not on this machine.")
        else:
            self._link(fd, name, path, target)

    def _file(self, fd: int, name: str, path: str, entry: FileEntry, present: os.stat_result | None) -> None:
        if present is not None and is_unchanged(entry, present):
            return
        if present is None or not self._is_it(fd, name, entry, present):
            if present is not None and stat.S_ISDIR(present.st_mode):
                self._remove(fd, name, path)
            self._write(fd, name, entry)
            self._wrote(path)
        self._fresh[path] = os.stat(name, dir_fd=fd, follow_symlinks=False)

    def _is_it(self, fd: int, name: str, entry: FileEntry, present: os.stat_result) -> bool:
        """Whether the file holds what it should; then it gets the mode and the time that it should have."""
        if not stat.S_ISREG(present.st_mode) or present.st_size != entry.size:
            return False
        same = (stat.S_IMODE(present.st_mode), present.st_mtime_ns) == (entry.mode, entry.mtime_ns)
        if not same and present.st_nlink > 1:
            return False
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
        except OSError:
            return False
        try:
            if not has_contents(file, entry.chunks):
                return False
            if not same:
                os.fchmod(file, entry.mode)
                os.utime(file, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(file)
        return True

    def _write(self, fd: int, name: str, entry: FileEntry) -> None:
        beside = f".nl2code-{os.urandom(6).hex()}"
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=fd)
        try:
            try:
                write_contents(file, entry.chunks, self._segments)
                os.fchmod(file, entry.mode)
                os.utime(file, ns=(entry.mtime_ns, entry.mtime_ns))
            finally:
                os.close(file)
            os.rename(beside, name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=fd)
            raise

    def _remove(self, fd: int, name: str, path: str) -> None:
        if remove(name, fd):
            self.removed.append(path)

    def _wrote(self, path: str) -> None:
        self.written.append(path)
        fail_point("restore-half-done")
