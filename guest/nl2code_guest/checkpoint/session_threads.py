"""Threads that run code of the session: they look its variables up, so one that is left over changes restored ones."""

from __future__ import annotations

import sys
import threading
import time
import types
from typing import Any


def session_threads(namespace: dict[str, Any]) -> set[threading.Thread]:
    """Those that are alive and are in, or on the way to, a function whose globals are this namespace."""
    frames = sys._current_frames()
    this = threading.get_ident()
    return {
        thread
        for thread in threading.enumerate()
        if thread.ident not in (None, this)
        and (_is_in(frames.get(thread.ident or 0), namespace) or _leads_to(thread, namespace))
    }


def all_end(threads: set[threading.Thread], seconds: float) -> bool:
    """Waits for threads, so long in all; returns whether all of them have ended."""
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _is_in(frame: types.FrameType | None, namespace: dict[str, Any]) -> bool:
    while frame is not None:
        if frame.f_globals is namespace:
            return True
        frame = frame.f_back
    return False


def _leads_to(thread: threading.Thread, namespace: dict[str, Any]) -> bool:
    """A timer that waits has its function among its attributes; a class of the session has its own `run`."""
    held = [*vars(thread).values(), type(thread).run]
    return any(isinstance(value, types.FunctionType) and value.__globals__ is namespace for value in held)
