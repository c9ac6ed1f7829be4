"""Work for idle moments: makes the head quick to map again, and removes segments that nothing names.

**Moved buffers.** A chunk is written once, congruent to where it stood in its buffer then. When pandas moves columns to
other places, the state names the old chunks, but their pages no longer fit and a restore has to read them.
`Compaction.rewrite` writes such chunks once more where they can be mapped. That makes no commit of its own: the new
places go into the next state (the changed components are told again, or a full state is), and a kernel that dies before
has lost nothing. Until that state is committed only the kernel knows of the segments, so it gives them to `sweep` as
what it keeps. Since the old places stay for the manifests before, rewriting is limited to a tenth of the store.

**Orphans.** `sweep` removes every segment that stands in no manifest and not in the ledger, whose journal holds changes
from outside that no manifest covers yet. Names are found as text, wherever they stand there: no change of what a state
looks like can make a segment look unused. Segments of cells after the newest manifest are never removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from nl2code_guest.checkpoint.buffers import Chunk, StoredBuffer
from nl2code_guest.checkpoint.manifests import numbers
from nl2code_guest.checkpoint.mapping import begin_in_page, mapped_part, runs
from nl2code_guest.checkpoint.quota import Quota
from nl2code_guest.checkpoint.segment_format import SEGMENT_NAME
from nl2code_guest.checkpoint.segments import Segments, SegmentWriter

#: Buffers that lose less than this to reading are left as they are.
_WORTH_BYTES = 1 << 20
_SHARE_OF_STORE = 10


class Compaction:
    """Rewrites moved chunks of one kernel's state, within limits.

    Args:
        segments: Where they stand.
        durable: As for `SegmentWriter`.
        quota: The same.
    """

    def __init__(self, segments: Segments, durable: bool, quota: Quota | None = None) -> None:
        self._segments = segments
        self._durable = durable
        self._quota = quota
        self._spent = 0

    def rewrite(self, head: int, buffers: Sequence[StoredBuffer], at_most: int = 64 << 20) -> list[StoredBuffer]:
        """The buffers, those that had moved with new places for their chunks.

        Args:
            head: The newest committed cell.
            buffers: Of the state at the head.
            at_most: Bytes to write now; a kernel that waits for its next cell does not want to be late for it.

        Returns:
            One for each; the same object where nothing was done.

        Raises:
            OSError: nothing could be written; all is as before.
            TornSegment: a chunk can't be had.
        """
        left = min(at_most, self._segments.bytes() // _SHARE_OF_STORE - self._spent)
        result: list[StoredBuffer] = []
        with SegmentWriter(self._segments.folder, head, self._durable, self._quota) as writer:
            for buffer in buffers:
                moved = moved_chunks(buffer)
                size = sum(buffer["chunks"][index].length for index in moved)
                if _WORTH_BYTES <= size <= left:
                    left -= size
                    result.append(self._rewritten(buffer, moved, writer))
                else:
                    result.append(buffer)
            writer.commit()
        self._spent += writer.bytes_put
        return result

    def _rewritten(self, buffer: StoredBuffer, moved: dict[int, int], writer: SegmentWriter) -> StoredBuffer:
        chunks = list(buffer["chunks"])
        begin = begin_in_page(runs(chunks))
        for index, at in moved.items():
            chunk = chunks[index]
            data = self._segments.read(chunk.location)
            chunks[index] = Chunk(chunk.hash, *writer.put(memoryview(data), begin + at))
        return {**buffer, "chunks": chunks}


def moved_chunks(buffer: StoredBuffer) -> dict[int, int]:
    """Chunks that a restore reads although they would be worth mapping: their indices, and their positions."""
    moved: dict[int, int] = {}
    joined = runs(buffer["chunks"])
    begin = begin_in_page(joined)
    index = at = 0
    for run in joined:
        start, end = mapped_part(run, begin + at)
        aligned = run._replace(offset=begin + at)
        could = mapped_part(aligned, begin + at)
        end_of_run = at + run.length
        while at < end_of_run:
            if start == end and could[0] < could[1]:
                moved[index] = at
            at += buffer["chunks"][index].length
            index += 1
    return moved


def sweep(checkpoint: str, segments: Segments, keep: Iterable[str] = ()) -> int:
    """Removes segments that neither a manifest nor the ledger nor `keep` names; returns how many bytes are free now.

    Args:
        checkpoint: The folder that holds `manifests`, `ledger` and the segments.
        segments: Those of it.
        keep: Segments that only this kernel's next state will name.

    Raises:
        OSError: a manifest can't be read, and nothing was removed; or a segment can't be removed.
    """
    found = numbers(os.path.join(checkpoint, "manifests"))
    if not found:
        return 0
    return segments.sweep(named_segments(checkpoint) | set(keep), found[-1])


def named_segments(checkpoint: str) -> set[str]:
    """The segments' names in all files of `manifests` and `ledger`; raises OSError when one can't be read."""
    named: set[str] = set()
    for folder in ("manifests", "ledger"):
        path = os.path.join(checkpoint, folder)
        if not os.path.isdir(path):
            continue
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    with open(entry.path, "rb") as file:
                        named.update(name.decode() for name in SEGMENT_NAME.findall(file.read()))
    return named
