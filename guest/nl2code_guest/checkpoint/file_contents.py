"""Contents of workspace files as chunks of at most 4 MiB by sha256: equal ones are stored once, in and between files.

So a file that grew, or changed in places, costs only the chunks that are new. However large a file is, memory for one
chunk is enough. Holes of sparse files are kept as holes and not read.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import MutableMapping, Sequence

from nl2code_guest.checkpoint.buffers import MAX_CHUNK_BYTES, Chunk
from nl2code_guest.checkpoint.file_copy import copy_range
from nl2code_guest.checkpoint.mapping import runs
from nl2code_guest.checkpoint.segment_format import Location, TornSegment, reading
from nl2code_guest.checkpoint.segment_writer import SegmentWriter
from nl2code_guest.checkpoint.segments import Segments
from nl2code_guest.whole_writes import write_whole

#: From here on a copy within the kernel, which may share blocks, is worth its system calls.
_MIN_COPIED_BYTES = 1 << 20


class ChangedMeanwhile(Exception):
    """The file was written while it was read."""


def store_contents(
    fd: int, writer: SegmentWriter, known: MutableMapping[str, Chunk], restless: bool = False
) -> list[Chunk]:
    """Writes what is new of an open file and adds it to `known`; of a `restless` one, whatever could be read.

    Raises:
        ChangedMeanwhile: what was copied is not what was read, or the file became shorter.
        OSError: as `SegmentWriter.put` does, or the file can't be read.
    """
    found = os.fstat(fd)
    size = found.st_size
    sparse = found.st_blocks * 512 < size
    buffer = memoryview(bytearray(min(size, MAX_CHUNK_BYTES)))
    chunks: list[Chunk] = []
    at = 0
    while at < size:
        if sparse and (end := _end_of_hole(fd, at, size)) > at:
            chunks.append(Chunk("", "", 0, end - at))
            at = end
            continue
        try:
            view = _read(fd, buffer[: size - at], at)
        except ChangedMeanwhile:
            if restless:
                return chunks
            raise
        sha = hashlib.sha256(view).hexdigest()
        if sha not in known:
            through_memory = restless or len(view) < _MIN_COPIED_BYTES
            place = writer.put(view, at) if through_memory else writer.copy(fd, at, view, at)
            if place is None:
                raise ChangedMeanwhile
            known[sha] = Chunk(sha, *place)
        chunks.append(known[sha])
        at += len(view)
    return chunks


def has_contents(fd: int, chunks: Sequence[Chunk]) -> bool:
    """Whether an open file holds these chunks and nothing more; raises OSError when it can't be read."""
    size = os.fstat(fd).st_size
    if size != sum(chunk.length for chunk in chunks):
        return False
    buffer = memoryview(bytearray(max((chunk.length for chunk in chunks if chunk.hash), default=0)))
    at = 0
    for chunk in chunks:
        if not chunk.hash:
            if _next_data(fd, at, size) < at + chunk.length:
                return False
        else:
            try:
                view = _read(fd, buffer[: chunk.length], at)
            except ChangedMeanwhile:
                return False
            if hashlib.sha256(view).hexdigest() != chunk.hash:
                return False
        at += chunk.length
    return True


def write_contents(fd: int, chunks: Sequence[Chunk], segments: Segments) -> None:
    """Fills an empty file; raises OSError when that fails, TornSegment when a chunk can't be had."""
    at = 0
    for run in runs(chunks):
        if run.segment:
            source = segments.open(run.segment)
            try:
                if os.fstat(source).st_size < run.offset + run.length:
                    raise TornSegment(f"The segment {run.segment} ends before {run.offset + run.length}.")
                if copy_range(source, run.offset, fd, at, run.length) is None:
                    _copy_through_memory(source, run, fd, at)
            finally:
                os.close(source)
        at += run.length
    os.ftruncate(fd, at)


def _read(fd: int, view: memoryview, at: int) -> memoryview:
    done = 0
    while done < len(view):
        count = os.preadv(fd, [view[done:]], at + done)
        if count == 0:
            raise ChangedMeanwhile
        done += count
    return view


def _next_data(fd: int, at: int, size: int) -> int:
    """Where there is something else than a hole at or after `at`; `size` when nowhere."""
    try:
        return min(os.lseek(fd, at, os.SEEK_DATA), size)
    except OSError as error:
        # Any other error is of a file system that does not tell holes from data.
        return size if error.errno == errno.ENXIO else at


def _end_of_hole(fd: int, at: int, size: int) -> int:
    """Where the hole at `at` ends, in whole chunks; `at` when there is none of that size."""
    data = _next_data(fd, at, size)
    return size if data >= size else data // MAX_CHUNK_BYTES * MAX_CHUNK_BYTES


def _copy_through_memory(source: int, run: Location, target: int, at: int) -> None:
    buffer = memoryview(bytearray(min(run.length, MAX_CHUNK_BYTES)))
    offset, end = run.offset, run.offset + run.length
    while offset < end:
        with reading(run.segment):
            view = _read(source, buffer[: end - offset], offset)
        at, offset = write_whole(target, view, at), offset + len(view)
