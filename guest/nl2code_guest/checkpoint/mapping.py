"""Gives a saved buffer back as memory, without reading it where the system can map it.

On Linux the buffer becomes one stretch of private memory. Runs of chunks that stand one after another in a segment, at
an offset congruent to their address, are mapped over it copy-on-write page by page; the rest is read in. Where in a
page the buffer begins is chosen so that this is most of it: a block whose first column was given away still stands in
its segment as it stood, only its begin has moved. So a restored variable costs time and memory only where a cell
touches it, and a write never reaches the segment.

The memory lives as long as anything looks at it: the memoryview, arrays over it (they hold the view), slices of those.
It is given back to the system right after the last of them.

A mapped file that becomes shorter would end the process (SIGBUS) at a touch. Segments are never changed, and a run is
mapped only within the size that its segment has; code of a cell that cuts segments by hand ends its own kernel.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
import weakref
from collections.abc import Iterable, Sequence

from nl2code_guest.checkpoint.buffers import Chunk, StoredBuffer
from nl2code_guest.checkpoint.segment_format import Location, TornSegment, reading
from nl2code_guest.checkpoint.segment_writer import MIN_MAPPED_BYTES
from nl2code_guest.checkpoint.segments import Segments

#: What libraries expect of an address; items of any kind are aligned by it.
_ALIGNMENT = 16
_PROT_READ_WRITE = 0x1 | 0x2
_MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS, _MAP_NORESERVE = 0x02, 0x10, 0x20, 0x4000
_MAP_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int64,
]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def map_buffer(segments: Segments, chunks: Sequence[Chunk], nbytes: int, readonly: bool) -> memoryview:
    """The chunks one after another as `nbytes` of private memory; `readonly` forbids writing into it.

    Raises:
        TornSegment: a segment is not whole, or the chunks are not of that size.
        OSError: this process can't open files, or has no room for the memory.
    """
    return map_buffers(segments, [{"bytes": nbytes, "readonly": readonly, "chunks": list(chunks)}])[0]


def map_buffers(segments: Segments, buffers: Iterable[StoredBuffer]) -> list[memoryview]:
    """The same of several buffers; neighbours mostly stand in one segment, which is opened once for them."""
    file = _File(segments)
    try:
        return [_buffer(file, buffer["chunks"], buffer["bytes"], buffer["readonly"]) for buffer in buffers]
    finally:
        file.close()


def _buffer(file: _File, chunks: Sequence[Chunk], nbytes: int, readonly: bool) -> memoryview:
    if sum(chunk.length for chunk in chunks) != nbytes:
        raise TornSegment(f"A buffer of {nbytes} bytes has chunks of another size.")
    mappable = sys.platform == "linux" and nbytes >= MIN_MAPPED_BYTES
    joined = runs(chunks)
    memory = _mapped_whole(file, joined[0]) if mappable and len(joined) == 1 else None
    if memory is None:
        begin = begin_in_page(joined) if mappable else 0
        memory = memoryview(_memory(begin + nbytes)).cast("B")[begin:] if mappable else memoryview(bytearray(nbytes))
        _fill(memory, file, joined, begin if mappable else None)
    return memory.toreadonly() if readonly else memory


def _mapped_whole(file: _File, run: Location) -> memoryview | None:
    """A run, mapped at once; what stands before and after it on its first and last page is outside of the buffer."""
    begin = begin_in_page([run])
    if run.offset % mmap.PAGESIZE != begin:
        return None
    fd = file.of(run)
    try:
        return memoryview(_memory(begin + run.length, fd, run.offset - begin)).cast("B")[begin:]
    except OSError:
        return None


def _fill(memory: memoryview, file: _File, joined: Iterable[Location], begin: int | None) -> None:
    """`begin`: where in a page the memory does; None for memory that nothing can be mapped over."""
    at = 0
    for run in joined:
        fd = file.of(run)
        start, end = (run.length, run.length) if begin is None else mapped_part(run, begin + at)
        if start < end and not _map(memory[at + start : at + end], fd, run.offset + start):
            start = end = run.length
        with reading(run.segment):
            _read(memory[at : at + start], fd, run.offset)
            _read(memory[at + end : at + run.length], fd, run.offset + end)
        at += run.length


class _File:
    """The segment that was asked for last, open."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._name: str | None = None
        self._fd = -1
        self._size = 0

    def of(self, run: Location) -> int:
        """A descriptor of the segment, which is whole and reaches as far as the run. Raises as `map_buffer` does."""
        if run.segment != self._name:
            self.close()
            self._fd = self._segments.open(run.segment)
            self._name, self._size = run.segment, os.fstat(self._fd).st_size
        if self._size < run.offset + run.length:
            raise TornSegment(f"The segment {run.segment} ends before {run.offset + run.length}.")
        return self._fd

    def close(self) -> None:
        """Closes it."""
        if self._name is not None:
            self._name = None
            os.close(self._fd)


def runs(chunks: Sequence[Chunk]) -> list[Location]:
    """Chunks that stand one after another in a segment, joined."""
    joined: list[Location] = []
    for chunk in chunks:
        last = joined[-1] if joined else None
        if last and last.segment == chunk.segment and last.offset + last.length == chunk.offset:
            joined[-1] = last._replace(length=last.length + chunk.length)
        else:
            joined.append(chunk.location)
    return joined


def begin_in_page(joined: Iterable[Location]) -> int:
    """Where in a page a buffer of these runs has to begin, so that most of it can be mapped."""
    mapped = {0: 0}
    at = 0
    for run in joined:
        begin = (run.offset - at) % mmap.PAGESIZE
        if begin % _ALIGNMENT == 0:
            start, end = mapped_part(run, begin + at)
            mapped[begin] = mapped.get(begin, 0) + end - start
        at += run.length
    return max(mapped, key=mapped.__getitem__)


def mapped_part(run: Location, at: int) -> tuple[int, int]:
    """Start and end, within a run at address `at` modulo a page, of what can be mapped; equal when nothing can."""
    page = mmap.PAGESIZE
    start, end = -at % page, (at + run.length) // page * page - at
    if run.offset % page != at % page or end - start < MIN_MAPPED_BYTES:
        return run.length, run.length
    return start, end


def _memory(nbytes: int, fd: int = -1, offset: int = 0) -> ctypes.Array[ctypes.c_char]:
    """Private memory, of a file's bytes where one is given; unmapped when nothing refers to the array any more."""
    flags = _MAP_PRIVATE | _MAP_NORESERVE | (_MAP_ANONYMOUS if fd < 0 else 0)
    address = _mmap(None, nbytes, flags, fd, offset)
    array = (ctypes.c_char * nbytes).from_address(address)
    # At the exit of the process others may still hold the memory, and the system takes it back anyway.
    weakref.finalize(array, _libc.munmap, address, nbytes).atexit = False
    return array


def _map(target: memoryview, fd: int, offset: int) -> bool:
    """Maps the file over that memory; false when the process has no mapping left, and the memory is as it was."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(target))
    try:
        _mmap(address, target.nbytes, _MAP_PRIVATE | _MAP_FIXED | _MAP_NORESERVE, fd, offset)
    except OSError:
        return False
    return True


def _mmap(address: int | None, nbytes: int, flags: int, fd: int, offset: int) -> int:
    mapped: int = _libc.mmap(address, nbytes, _PROT_READ_WRITE, flags, fd, offset)
    if mapped == _MAP_FAILED:
        number = ctypes.get_errno()
        raise OSError(number, f"{nbytes} bytes can't be mapped: {os.strerror(number)}")
    return mapped


def _read(target: memoryview, fd: int, offset: int) -> None:
    while target:
        count = os.preadv(fd, [target], offset)
        if count == 0:
            raise TornSegment("A segment became shorter while it was read.")
        target, offset = target[count:], offset + count
