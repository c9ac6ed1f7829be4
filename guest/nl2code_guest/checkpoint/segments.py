"""Segments: immutable files of raw bytes that manifests point into.

The kernel, or the child that serialises for it, writes them (`segment_writer`) before it hands a state to the init; so
a state never names bytes that are not there. `segment_format` tells what they look like.

Laws:
1. Nothing is read from a segment that is not whole. At the first use of each, all that was put into it is read and
   compared with its xxh3-128, unless `verified_record` knows that exactly this file was found whole.
2. A segment that is missing, cut or altered raises `TornSegment`, which is a `Torn` like that of a manifest: the
   session goes on from an older manifest.
3. Sweeping removes what nothing names: leftovers of saves that never committed, and of discarded manifests. A segment
   comes into being before the manifest that names it, so those of cells newer than the head stay: their save may be
   under way. What counts as named is told by `compaction`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterable, Sequence

import xxhash

from nl2code_guest.checkpoint.segment_format import (
    SUFFIX,
    UNFINISHED,
    Location,
    Row,
    TornSegment,
    cell_of,
    is_name,
    path_of,
    read_table,
    reading,
)
from nl2code_guest.checkpoint.segment_writer import SegmentWriter
from nl2code_guest.checkpoint.verified_record import VerifiedRecord

__all__ = ["Location", "SegmentWriter", "Segments", "TornSegment"]

_READ_BYTES = 4 << 20


class Segments:
    """Reads the segments of one folder. Keeps no descriptor open, since user code may close or reuse any."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._verified = VerifiedRecord(folder)

    def open(self, name: str) -> int:
        """A descriptor of a whole segment; the caller closes it.

        Raises:
            TornSegment: the segment is missing, cut, altered or on a damaged part of the disk.
            OSError: this process can't open or read files at present.
        """
        path = path_of(self.folder, name)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TornSegment(f"The segment {name} is missing.") from error
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise TornSegment(f"The segment {name} is not a file.")
            if not self._verified.holds(name, found):
                with reading(name):
                    _verify(name, fd, found.st_size)
                self._verified.add(name, found)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def verify(self, names: Iterable[str]) -> None:
        """Raises TornSegment unless every one of these is whole."""
        for name in names:
            os.close(self.open(name))

    def read(self, location: Location) -> bytes:
        """The bytes that stand there; raises as `open` does."""
        return self.read_all([location])[0]

    def read_all(self, locations: Sequence[Location]) -> list[bytes]:
        """The bytes of many places in their order; opens each segment once. Raises as `open` does."""
        found: dict[int, bytes] = {}
        order = sorted(range(len(locations)), key=lambda index: locations[index])
        for name, indices in itertools.groupby(order, key=lambda index: locations[index].segment):
            fd = self.open(name)
            try:
                with reading(name):
                    for index in indices:
                        found[index] = _read(fd, locations[index])
            finally:
                os.close(fd)
        return [found[index] for index in range(len(locations))]

    def names(self) -> set[str]:
        """Every finished segment, whole or not."""
        try:
            return {name.removesuffix(SUFFIX) for name in os.listdir(self.folder) if name.endswith(SUFFIX)}
        except FileNotFoundError:
            return set()

    def bytes(self) -> int:
        """Size of all finished segments together."""
        sizes = 0
        for name in self.names():
            with contextlib.suppress(FileNotFoundError):
                sizes += os.stat(path_of(self.folder, name), follow_symlinks=False).st_size
        return sizes

    def sweep(self, named: set[str], head: int) -> int:
        """Removes all other segments of cells up to `head`, unfinished ones too; returns how many bytes are free now.

        Raises:
            OSError: a file could not be removed.
        """
        freed = 0
        if not os.path.isdir(self.folder):
            return freed
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name = entry.name.removesuffix(UNFINISHED).removesuffix(SUFFIX)
                if name == entry.name or (name in named and not entry.name.endswith(UNFINISHED)):
                    continue
                if is_name(name) and cell_of(name) <= head:
                    with contextlib.suppress(FileNotFoundError):
                        size = entry.stat(follow_symlinks=False).st_blocks * 512
                        os.unlink(entry.path)
                        freed += size
        self._verified.keep_only(self.names())
        return freed


def _read(fd: int, location: Location) -> bytes:
    data = os.pread(fd, location.length, location.offset)
    # One call gives no more than 2 GiB.
    while len(data) < location.length and (
        more := os.pread(fd, location.length - len(data), location.offset + len(data))
    ):
        data += more
    if len(data) != location.length:
        raise TornSegment(f"The segment {location.segment} ends before {location.offset + location.length}.")
    return data


def _verify(name: str, fd: int, size: int) -> None:
    buffer = memoryview(bytearray(_READ_BYTES))
    for row in read_table(name, fd, size):
        if _digest(fd, row, buffer) != row.digest:
            raise TornSegment(f"The segment {name} is altered at {row.offset}.")


def _digest(fd: int, row: Row, buffer: memoryview) -> bytes:
    # Read, not mapped: a file that is cut meanwhile gives a short read here and would end the process there.
    digest = xxhash.xxh3_128()
    at, end = row.offset, row.offset + row.length
    while at < end:
        count = os.preadv(fd, [buffer[: end - at]], at)
        if count == 0:
            break
        digest.update(buffer[:count])
        at += count
    return digest.digest()
