"""What a kernel does for its store when it is idle: moved buffers are written where they can be mapped, orphans go.

The new places are known here only, until the next state tells them. A kernel that dies before has lost nothing.
"""

from __future__ import annotations

import contextlib
import os

from nl2code_guest.checkpoint.compaction import Compaction, sweep
from nl2code_guest.checkpoint.component import Component
from nl2code_guest.checkpoint.manifests import numbers
from nl2code_guest.checkpoint.quota import Quota
from nl2code_guest.checkpoint.saved_state import SavedState
from nl2code_guest.checkpoint.segments import Segments

#: Written in one idle moment: the next cell may come any time.
_MOST_BYTES = 32 << 20
#: Looking for orphans reads every manifest.
_SAVES_PER_SWEEP = 50


class Tidying:
    """The idle work of one kernel."""

    def __init__(self, checkpoint: str, durable: bool, quota: Quota) -> None:
        self._checkpoint = checkpoint
        self._segments = Segments(os.path.join(checkpoint, "segments"))
        self._compaction = Compaction(self._segments, durable, quota)
        #: Components that stand elsewhere than the manifests say, by id.
        self._moved: dict[str, Component] = {}
        # The first time at once: what a kernel before this one left.
        self._until_sweep = 0

    def moved(self) -> frozenset[str]:
        """Ids of the components that the next state has to tell again."""
        return frozenset(self._moved)

    def told(self) -> None:
        """A state was handed over that told them."""
        self._moved = {}
        self._until_sweep -= 1

    def run(self, saved: SavedState) -> None:
        """Does some of the work; `saved` is what the newest state says. What fails is left for another time."""
        # Torn, too: a segment that can't be read is for the next restore to find.
        with contextlib.suppress(OSError, ValueError):
            self._rewrite(saved)
        if self._until_sweep <= 0:
            with contextlib.suppress(OSError):
                kept = {chunk.segment for part in self._moved.values() for chunk in part.chunks()}
                sweep(self._checkpoint, self._segments, kept)
                self._until_sweep = _SAVES_PER_SWEEP

    def _rewrite(self, saved: SavedState) -> None:
        parts = [part for part in saved.components if part.buffers]
        found = numbers(os.path.join(self._checkpoint, "manifests"))
        if not parts or not found:
            return
        rewritten = iter(
            self._compaction.rewrite(found[-1], [buffer for part in parts for buffer in part.buffers], _MOST_BYTES)
        )
        for part in parts:
            buffers = [next(rewritten) for _ in part.buffers]
            if any(new is not old for new, old in zip(buffers, part.buffers, strict=True)):
                self._moved[part.id] = part._replace(buffers=buffers)
                saved.components.replace(self._moved[part.id])
