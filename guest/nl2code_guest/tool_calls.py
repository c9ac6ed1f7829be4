"""The calls of bridged tools that wait for the host's answer, as the init keeps them.

A call is sent to the stream that asked for the cell, and again to the next one, until an answer has come. It is not
sent before the cell before it is saved: what runs again must find the effects of its own past only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nl2code_guest.frames import Frame, FrameError, encode_frame, encode_header
from nl2code_guest.host_messages import ToolAnswer

MAX_ARGS_BYTES = 1 << 20
MAX_NAME_CHARS = 200
_MAX_CALLS = 1 << 31


class ToolCalls:
    """The calls of one kernel."""

    def __init__(self) -> None:
        #: Cell and number of the call, its frame, and whether the present stream has it.
        self._waiting: dict[tuple[int, int], tuple[bytes, bool]] = {}
        #: How many calls each cell has made in this run of it, and the most in any run of the cell that runs.
        self._made: dict[int, int] = {}
        self._most = 0

    @property
    def waiting(self) -> bool:
        """Whether a call waits for its answer."""
        return bool(self._waiting)

    @property
    def held(self) -> bool:
        """Whether a call waits that nobody was told of."""
        return any(not sent for _, sent in self._waiting.values())

    def ask(self, frame: Frame, k: int, replay: bool) -> None:
        """Takes a call of cell `k`, which runs; with `replay`, of any cell before `k`.

        Raises:
            FrameError: The kernel broke a rule.
        """
        header = frame.header
        cell, call, name, args = (header.get(field) for field in ("k", "call", "name", "args"))
        ours = type(cell) is int and (0 <= cell < k if replay else cell == k)
        if not ours or header.get("replay") is not replay:
            raise FrameError("A tool is called for another cell than the one that runs.")
        assert type(cell) is int
        # An interrupt between counting and asking leaves a gap; a cell can be computed again more than once.
        if type(call) is not int or not (0 if replay else self._made.get(cell, 0)) <= call < _MAX_CALLS:
            raise FrameError("The calls of a cell are not numbered in their order.")
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS or not isinstance(args, dict):
            raise FrameError("A call has no name or no arguments.")
        if len(encode_header(args)) > MAX_ARGS_BYTES:
            raise FrameError("The arguments of a call are too large.")
        # A kernel makes one call at a time: it does not wait any more for the answer to the one before.
        self._waiting = {}
        self._made[cell] = call + 1
        self._most = max(self._most, 0 if replay else call + 1)
        said = {"type": "tool", "k": cell, "call": call, "name": name, "args": args, "replay": replay}
        self._waiting[cell, call] = (encode_frame(said), False)

    def send(self, send: Callable[[bytes], None]) -> None:
        """Sends what the present stream does not have."""
        for key, (frame, sent) in list(self._waiting.items()):
            if not sent:
                self._waiting[key] = (frame, True)
                send(frame)

    def unsend(self) -> None:
        """The stream is gone; the next one is asked again."""
        self._waiting = {key: (frame, False) for key, (frame, _) in self._waiting.items()}

    def answer(self, answer: ToolAnswer, k: int) -> dict[str, Any] | None:
        """The message for the kernel, or None when it comes too late; `k` is the cell that runs, or was the last one.

        Raises:
            FrameError: Nobody has asked.
        """
        if self._waiting.pop((answer.k, answer.call), None):
            return answer.header
        if answer.k > k or (answer.k == k and answer.call >= self._most):
            raise FrameError(f"Nobody asked for call {answer.call} of cell {answer.k}.")
        return None

    def end(self) -> None:
        """The run of the cell is over, or its kernel: nobody waits for an answer."""
        self._waiting, self._made = {}, {}

    def next_cell(self) -> None:
        """Another cell is asked for. What a restoring kernel asks for its sake waits on."""
        self._most = 0
