"""Cuts out-of-band buffers into chunks that keep their hash when what lies around them changes.

A chunk is `[hash, segment, offset, length]` in a state: the xxh3-128 of bytes (sha256 for those of workspace files) and
where they stand. Bytes whose hash is known are not written again, wherever they came from.

A 2-D block of a data frame is cut along its columns, so that a column that was not changed keeps its chunks when pandas
moves it to another place or another block. Cuts are at most 4 MiB, so that a change within a column costs so much.
A chunk that was written at another position than where it stands now may have to be read instead of mapped on restore;
`compaction` repairs that when there is time.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, MutableMapping
from typing import NamedTuple, TypedDict

import xxhash

from nl2code_guest.checkpoint.segment_format import Location, TornSegment
from nl2code_guest.checkpoint.segment_writer import SegmentWriter

MAX_CHUNK_BYTES = 4 << 20
#: Columns shorter than this are not cut apart: their chunks would be too small to be mapped.
_MIN_COLUMN_BYTES = 64 << 10


class Chunk(NamedTuple):
    """Bytes by hash and place. JSON writes it as a list; `to_chunk` reads that."""

    hash: str
    segment: str
    offset: int
    length: int

    @property
    def location(self) -> Location:
        """Where the bytes stand."""
        return Location(self.segment, self.offset, self.length)


class StoredBuffer(TypedDict):
    """A buffer in a state."""

    bytes: int
    readonly: bool
    chunks: list[Chunk]


#: Chunks by hash: what the states of this session have already written.
KnownChunks = MutableMapping[str, Chunk]


def to_chunk(value: object) -> Chunk:
    """A chunk as JSON gave it.

    Raises:
        TornSegment: it is none.
    """
    match value:
        case [str() as digest, str() as segment, int() as offset, int() as length] if offset >= 0 and length >= 0:
            return Chunk(digest, segment, offset, length)
    raise TornSegment("A state names a chunk that no guest has written.")


def store_buffer(buffer: pickle.PickleBuffer, writer: SegmentWriter, known: KnownChunks) -> StoredBuffer:
    """Writes what is new of a contiguous buffer and adds it to `known`; raises OSError as `SegmentWriter.put` does."""
    raw = buffer.raw()
    chunks: list[Chunk] = []
    at = 0
    for view in cuts(buffer):
        chunks.append(_store(view, at, writer, known))
        at += view.nbytes
    return {"bytes": raw.nbytes, "readonly": raw.readonly, "chunks": chunks}


def store_bytes(view: memoryview, writer: SegmentWriter, known: KnownChunks) -> Chunk:
    """Writes bytes that are read as a whole, like a pickle stream, unless they are known."""
    return _store(view, 0, writer, known)


def digest_of(buffer: pickle.PickleBuffer) -> list[str]:
    """The hashes `store_buffer` would give its chunks; writes nothing."""
    return [xxhash.xxh3_128_hexdigest(view) for view in cuts(buffer)]


def cuts(buffer: pickle.PickleBuffer) -> Iterator[memoryview]:
    """The buffer's bytes in order, cut along the columns of a 2-D block and at 4 MiB."""
    raw = buffer.raw()
    step = _column_bytes(buffer) or raw.nbytes
    for start in range(0, raw.nbytes, step or 1):
        for at in range(start, start + step, MAX_CHUNK_BYTES):
            yield raw[at : min(at + MAX_CHUNK_BYTES, start + step)]


def _column_bytes(buffer: pickle.PickleBuffer) -> int:
    """Bytes of what lies together in a 2-D block; 0 when it is no block worth cutting."""
    try:
        with memoryview(buffer) as view:
            if view.ndim != 2 or view.shape is None or view.nbytes == 0:
                return 0
            column = view.nbytes // view.shape[0 if view.c_contiguous else 1]
            return column if column >= _MIN_COLUMN_BYTES else 0
    except (ValueError, BufferError):
        # An item format that a memoryview does not know; the raw bytes are there all the same.
        return 0


def _store(view: memoryview, at: int, writer: SegmentWriter, known: KnownChunks) -> Chunk:
    digest = xxhash.xxh3_128_digest(view)
    name = digest.hex()
    found = known.get(name)
    if found is None or found.length != view.nbytes:
        found = known[name] = Chunk(name, *writer.put(view, at, digest))
    return found
