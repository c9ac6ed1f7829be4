"""Writes the segments of one save.

Laws:
1. What `put` was given stands in the file when `commit` returns: renamed, and under durability `host` synced with its
   folder. Before that nobody can see it.
2. Whatever fails on the way (disk full, say), or a writer that is left without `commit`, leaves no file behind.
3. A segment is never changed after its rename.
4. Bytes that are worth mapping get an offset that is congruent to their position in their buffer modulo 4096, so that
   a restore can map whole pages of them. Smaller ones are packed without gaps; nobody maps them.
"""

from __future__ import annotations

import contextlib
import os
from types import TracebackType
from typing import Self

import xxhash

from nl2code_guest.checkpoint.fail_points import fail_point
from nl2code_guest.checkpoint.file_copy import copy_range
from nl2code_guest.checkpoint.quota import Quota
from nl2code_guest.checkpoint.segment_format import UNFINISHED, Location, Row, encode_table, path_of
from nl2code_guest.checkpoint.verified_record import VerifiedRecord
from nl2code_guest.folder_sync import sync_folder
from nl2code_guest.whole_writes import write_whole

#: A segment holds more only when it holds a single piece that is larger.
MAX_SEGMENT_BYTES = 256 << 20
#: Less than this is read, not mapped: a mapping costs more than copying it.
MIN_MAPPED_BYTES = 64 << 10
#: Of the offset's congruence. Where memory pages are larger, what is congruent here may have to be read.
PAGE_BYTES = 4096


class SegmentWriter:
    """Use as a context manager: leaving it without `commit` takes everything back.

    Args:
        folder: The checkpoint's folder of segments; made when it is missing.
        k: The cell that is saved; part of the names.
        durable: Whether what is committed outlives the machine, not only its processes.
        quota: Asked before anything is written; nothing is limited without one.
    """

    def __init__(self, folder: str, k: int, durable: bool, quota: Quota | None = None) -> None:
        self._folder = folder
        self._durable = durable
        self._quota = quota or Quota((), None)
        self._stem = f"{k}-{os.urandom(6).hex()}"
        self._fd = -1
        self._names: list[str] = []
        self._rows: list[Row] = []
        self._end = 0
        self._ended = False
        #: Of everything put so far, without gaps and tables.
        self.bytes_put = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._ended:
            self.abort()

    def put(self, view: memoryview, at: int = 0, digest: bytes | None = None) -> Location:
        """Writes contiguous bytes that stand at position `at` of their buffer; `digest` is their xxh3-128 if known.

        Raises:
            OSError: they could not be written, or the quota has no room for them; everything of this writer is taken
                back.
        """
        view = view if view.ndim == 1 and view.format == "B" else view.cast("B")
        try:
            row = Row(self._place(view.nbytes, at), view.nbytes, digest or xxhash.xxh3_128_digest(view))
            self._quota.take(view.nbytes)
            write_whole(self._fd, view, row.offset)
        except BaseException:
            self.abort()
            raise
        return self._add(row)

    def copy(self, fd: int, offset: int, view: memoryview, at: int) -> Location | None:
        """Like `put` of `view`, which was read at `offset` of the file `fd`, but shares the file's blocks where it can.

        Returns:
            None when the file no longer holds those bytes; nothing is kept of them then.
        """
        digest = xxhash.xxh3_128_digest(view)
        try:
            place = self._place(view.nbytes, at)
            self._quota.take(view.nbytes)
            if copy_range(fd, offset, self._fd, place, view.nbytes) is None:
                write_whole(self._fd, view, place)
            elif not self._holds(view.nbytes, place, digest):
                os.ftruncate(self._fd, self._end)
                return None
        except BaseException:
            self.abort()
            raise
        return self._add(Row(place, view.nbytes, digest))

    def commit(self) -> list[str]:
        """Makes everything that was put visible; returns the segments' names, none when nothing was put.

        Raises:
            OSError: that did not succeed; everything of this writer is taken back.
        """
        try:
            self._seal()
            for name in self._names:
                path = path_of(self._folder, name)
                os.rename(_unfinished(path), path)
            if self._durable and self._names:
                sync_folder(self._folder)
        except BaseException:
            self.abort()
            raise
        self._ended = True
        record = VerifiedRecord(self._folder)
        for name in self._names:
            with contextlib.suppress(OSError):
                record.add(name, os.stat(path_of(self._folder, name), follow_symlinks=False))
        fail_point("segment-renamed-manifest-not")
        return list(self._names)

    def abort(self) -> None:
        """Removes every file of this writer, whose locations mean nothing from now on."""
        self._ended = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        for name in self._names:
            path = path_of(self._folder, name)
            for left in (path, _unfinished(path)):
                with contextlib.suppress(OSError):
                    os.unlink(left)
        self._names = []

    def _place(self, length: int, at: int) -> int:
        """The offset for bytes of that length, in a segment that has room for them."""
        if self._ended:
            raise ValueError("This save has ended; its writer takes nothing more.")
        gap = (at - self._end) % PAGE_BYTES if length >= MIN_MAPPED_BYTES else 0
        if self._fd >= 0 and self._end > 0 and self._end + gap + length > MAX_SEGMENT_BYTES:
            self._seal()
        if self._fd < 0:
            self._open()
            gap = at % PAGE_BYTES if length >= MIN_MAPPED_BYTES else 0
        return self._end + gap

    def _holds(self, length: int, at: int, digest: bytes) -> bool:
        copied = bytearray(length)
        return os.preadv(self._fd, [copied], at) == length and xxhash.xxh3_128_digest(copied) == digest

    def _add(self, row: Row) -> Location:
        self._rows.append(row)
        self._end = row.offset + row.length
        self.bytes_put += row.length
        fail_point("segment-half-written")
        return Location(self._names[-1], row.offset, row.length)

    def _open(self) -> None:
        if not self._names:
            # Most saves of small cells write no segment, and measuring looks at every file of the session.
            self._quota.begin()
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        name = f"{self._stem}-{len(self._names)}"
        path = _unfinished(path_of(self._folder, name))
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._names.append(name)

    def _seal(self) -> None:
        """Ends the segment that is being written."""
        if self._fd < 0:
            return
        write_whole(self._fd, encode_table(self._rows, self._end), self._end)
        if self._durable:
            os.fdatasync(self._fd)
        os.close(self._fd)
        self._fd, self._rows, self._end = -1, [], 0


def _unfinished(path: str) -> str:
    return path + UNFINISHED
