"""A limit of time for code that may not end by itself."""

from __future__ import annotations

import importlib
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: Without the conversion of every number to its name and back: a save holds all signals off, and pickles often.
_plain: Any = importlib.import_module("_signal")
_mask = _plain.pthread_sigmask
_ALARM = frozenset((int(signal.SIGALRM),))


class TooSlow(BaseException):
    """What `within` raises inside the call; no `except Exception` of user code keeps it."""


def within(seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs user code for a limited time. Raises TooSlow in it; the user's own timer is kept.

    In another thread than the main one there is no limit.
    """
    if threading.current_thread() is not threading.main_thread():
        # Signals are for the main thread alone.
        return function(*args, **kwargs)
    began = time.monotonic()
    # Ignored for a moment, so that an alarm of the user that was held off is not taken for this one.
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _on_alarm)
    mask = _mask(signal.SIG_UNBLOCK, _ALARM)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return _timed(function, *args, **kwargs)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _mask(signal.SIG_SETMASK, mask)
        # None is a handler that C code has set, which can't be set again from here.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)), interval)


def _timed(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


def _on_alarm(_number: int, frame: FrameType | None) -> None:
    # Late, the alarm finds nobody to stop.
    if above(frame, _timed):
        raise TooSlow


def above(frame: FrameType | None, border: Callable[..., object]) -> bool:
    """Whether `frame` was called, directly or not, from this function of the kernel's."""
    code = border.__code__
    if frame is None or frame.f_code is code:
        return False
    caller = frame.f_back
    while caller is not None:
        if caller.f_code is code:
            return True
        caller = caller.f_back
    return False
