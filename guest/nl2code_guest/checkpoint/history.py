"""The saves of a session from newest to oldest, read from their manifests as far as somebody asks."""

from __future__ import annotations

from typing import Any, NamedTuple

from nl2code_guest.checkpoint.manifests import Manifest, Torn, read_manifest
from nl2code_guest.checkpoint.saved_state import CellRecord, SavedState, UnknownState, cells_of, decode_state


class Step(NamedTuple):
    """One save."""

    k: int
    #: Decoded; what `SavedState.apply` takes.
    delta: dict[str, Any]
    #: The cells it covers, in order; none when nothing of a cell was kept.
    cells: list[CellRecord]
    #: How the last of them ended, as the reply says it.
    ended: str
    parent: int | None


class History:
    """The steps that lead to a head; step 0 is the head's own."""

    def __init__(self, folder: str, head: Manifest) -> None:
        self._folder = folder
        self._steps: list[Step] = [_to_step(head)]
        self._oldest = head
        self._state: tuple[int, SavedState] | None = None

    def step(self, at: int) -> Step | None:
        """The step `at` saves before the head's; None when there is none, or it can't be read any more."""
        while len(self._steps) <= at:
            parent = self._oldest.header["parent"]
            if parent is None:
                return None
            try:
                manifest = read_manifest(self._folder, parent["k"])
                if manifest.sha != parent["sha"]:
                    return None
                self._steps.append(_to_step(manifest))
            except (Torn, UnknownState):
                return None
            self._oldest = manifest
        return self._steps[at]

    def state_after(self, at: int) -> SavedState:
        """What was saved with step `at`; nothing before the first one. The next call may change it.

        Raises:
            UnknownState: the manifests it builds on can't be read.
        """
        if self.step(at) is None:
            if self._oldest.header["parent"] is None and at == len(self._steps):
                return SavedState()
            raise UnknownState("The manifests before it can't be read.")
        if self._state is None or self._state[0] < at:
            start = at
            while (step := self.step(start)) is not None and step.delta.get("full") is not True:
                start += 1
            if step is None and self._oldest.header["parent"] is not None:
                raise UnknownState("The manifests before it can't be read.")
            self._state = start + 1, SavedState()
        reached, state = self._state
        while reached > at:
            reached -= 1
            if (step := self.step(reached)) is not None:
                state.apply(step.delta)
        self._state = at, state
        return state


def _to_step(manifest: Manifest) -> Step:
    delta = decode_state(manifest.state)
    header = manifest.header
    reply = header.get("reply")
    ended = reply.get("ended") if isinstance(reply, dict) else None
    return Step(manifest.k, delta, cells_of(delta), str(ended), header["parent"] and header["parent"]["k"])
