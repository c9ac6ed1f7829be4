"""Writes that end when everything is written: one call may take a part only."""

from __future__ import annotations

import os


def write_whole(fd: int, data: bytes | memoryview, at: int) -> int:
    """Writes bytes at position `at` of a file and returns the position after them. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, at)
        view, at = view[written:], at + written
    return at
