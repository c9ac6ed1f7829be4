"""Interrupts that hit user code or nothing.

The init sends a message that names the cell, then SIGINT to wake the main thread. The handler raises only when the
message is for the running cell *and* the interrupted frame lies above `Guard.call`: a signal that comes late finds
either another cell's number or a stack without user code, and is forgotten. A SIGINT that nobody announced is forgotten
too.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

from nl2code_guest.time_limit import above

P = ParamSpec("P")
T = TypeVar("T")


class Guard:
    """The border between the kernel's code and the user's."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        """`asked` reads whether an interrupt of the running cell has been announced since it last said so."""
        self._asked = asked
        self._handling = False
        self._pending = False
        #: Whether an interrupt was raised in the user code of this cell.
        self.fired = False
        self.install()

    def install(self) -> None:
        """Takes SIGINT, also back from a cell that took it."""
        if signal.getsignal(signal.SIGINT) != self._on_signal:
            signal.signal(signal.SIGINT, self._on_signal)

    def arm(self) -> None:
        """Called before the user code of a cell."""
        self.fired = False
        self._pending = self._asked()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs user code. Raises KeyboardInterrupt when its cell is to end."""
        if self._pending:
            self._pending = False
            self.fired = True
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    def _on_signal(self, _number: int, frame: FrameType | None) -> None:
        if self._handling:
            return
        self._handling = True
        try:
            asked = self._asked()
        finally:
            self._handling = False
        if not asked:
            return
        if above(frame, Guard.call):
            self.fired = True
            raise KeyboardInterrupt
        self._pending = True
