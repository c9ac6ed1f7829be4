"""The clock of `%%time` and `%time`."""

from __future__ import annotations

import time

_started: float | None = None


def start() -> None:
    """Starts the clock of this cell."""
    global _started
    _started = time.perf_counter()


def stop() -> None:
    """Prints the wall time if the cell has a clock; called at the end of every cell."""
    global _started
    if _started is not None:
        began, _started = _started, None
        print_time(began)


def print_time(began: float) -> None:
    """Prints the time since `began`, a value of `time.perf_counter`."""
    seconds = time.perf_counter() - began
    print(f"Wall time: {seconds:.2f} s" if seconds >= 1 else f"Wall time: {seconds * 1000:.2f} ms")
