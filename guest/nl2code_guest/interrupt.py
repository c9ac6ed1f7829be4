"""Interrupts that hit user code or nothing.

The init sends a message that names the cell, then SIGINT to wake the main thread. The handler raises only when the
message is for the running cell *and* the interrupted frame lies above `Guard.call`: a signal that comes late finds
either another cell's number or a stack without user code, and is forgotten. A SIGINT that nobody announced is forgotten
too.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class TooSlow(BaseException):
    """What `within` raises inside the call; no `except Exception` of user code keeps it."""


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

    def within(self, seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs user code below `call` for a limited time. Raises TooSlow in it; the user's own timer is kept.

        In another thread than the main one there is no limit.
        """
        if threading.current_thread() is not threading.main_thread():
            # Signals are for the main thread alone.
            return function(*args, **kwargs)
        began = time.monotonic()
        before = signal.signal(signal.SIGALRM, _on_alarm)
        left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return _timed(function, *args, **kwargs)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            if left:
                signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)), interval)

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
        if _above(frame, _GUARD):
            self.fired = True
            raise KeyboardInterrupt
        self._pending = True


def _timed(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


def _on_alarm(_number: int, frame: FrameType | None) -> None:
    # Late, the alarm finds nobody to stop.
    if _above(frame, _TIMED):
        raise TooSlow


def _above(frame: FrameType | None, border: object) -> bool:
    """Whether `frame` was called, directly or not, from the function whose code is `border`."""
    if frame is None or frame.f_code is border:
        return False
    caller = frame.f_back
    while caller is not None:
        if caller.f_code is border:
            return True
        caller = caller.f_back
    return False


_GUARD = Guard.call.__code__
_TIMED = _timed.__code__
