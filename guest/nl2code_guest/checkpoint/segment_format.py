"""How a segment looks on disk.

`12-9f3c01a7d2e4-0.segment` holds the bytes put into it, each at its offset, perhaps with gaps; then a table with one
row for each (u64 offset, u64 length, 16 bytes xxh3-128), and a trailer (u64 end of the bytes, u64 rows, xxh3-128 of the
table and the two numbers, 16 bytes magic). Little-endian. The name is the cell, a random token, and a number within
the save: it is never used again, so what is known of a segment by name stays true. While it is being written it ends
in `.tmp`; nobody reads that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import xxhash

from nl2code_guest.checkpoint.manifests import Torn

#: A name in a manifest, wherever it stands there.
SEGMENT_NAME = re.compile(rb"\d{1,12}-[0-9a-f]{12}-\d{1,6}")
SUFFIX, UNFINISHED = ".segment", ".tmp"

_MAGIC = b"nl2code-segment1"
_ROW = struct.Struct("<QQ16s")
_NUMBERS = struct.Struct("<QQ")
_TRAILER_BYTES = _NUMBERS.size + 32


class TornSegment(Torn):
    """A segment is missing, cut or altered; the message is one sentence."""


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Around reads of that segment: what its disk does not give back is as good as altered and raises TornSegment."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise TornSegment(f"The segment {name} can't be read: {error.strerror}.") from error


class Location(NamedTuple):
    """Where bytes stand: the name of a segment, the offset in its file, how many."""

    segment: str
    offset: int
    length: int


class Row(NamedTuple):
    """Bytes that were put into a segment."""

    offset: int
    length: int
    digest: bytes


def is_name(name: str) -> bool:
    """Whether a writer may have given a segment this name."""
    return SEGMENT_NAME.fullmatch(name.encode(errors="replace")) is not None


def cell_of(name: str) -> int:
    """The cell at whose save the segment of this name was written."""
    return int(name.partition("-")[0])


def path_of(folder: str, name: str) -> str:
    """The file of a segment.

    Raises:
        TornSegment: no writer has made that name.
    """
    if not is_name(name):
        raise TornSegment(f"{name!r} is not the name of a segment.")
    return os.path.join(folder, name + SUFFIX)


def encode_table(rows: list[Row], end: int) -> bytes:
    """What follows the bytes of a segment that end at `end`."""
    sealed = b"".join(_ROW.pack(*row) for row in rows) + _NUMBERS.pack(end, len(rows))
    return sealed + xxhash.xxh3_128_digest(sealed) + _MAGIC


def read_table(name: str, fd: int, size: int) -> list[Row]:
    """The rows of a segment of `size` bytes.

    Raises:
        TornSegment: it has no whole table, or a row lies outside of it.
    """
    trailer = os.pread(fd, _TRAILER_BYTES, max(0, size - _TRAILER_BYTES))
    if len(trailer) != _TRAILER_BYTES or not trailer.endswith(_MAGIC):
        raise TornSegment(f"The segment {name} is cut or was not finished.")
    end, count = _NUMBERS.unpack_from(trailer)
    if end + count * _ROW.size + _TRAILER_BYTES != size:
        raise TornSegment(f"The segment {name} does not have the size it says.")
    table = os.pread(fd, count * _ROW.size, end)
    if xxhash.xxh3_128_digest(table + trailer[: _NUMBERS.size]) != trailer[_NUMBERS.size : _NUMBERS.size + 16]:
        raise TornSegment(f"The segment {name} has an altered table.")
    rows = [Row(*row) for row in _ROW.iter_unpack(table)]
    if any(row.offset + row.length > end for row in rows):
        raise TornSegment(f"The segment {name} has a table that points outside of it.")
    return rows
