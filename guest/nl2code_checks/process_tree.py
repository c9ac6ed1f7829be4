"""Finds and ends what a script leaves running. Linux: reads ``/proc``."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36


def adopt_orphans() -> None:
    """Makes orphans below this process its children, so that a daemon can't leave the tree by a double fork."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root: int) -> set[int]:
    """Returns the processes below ``root`` that are alive; zombies don't count."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The command's name may hold spaces and brackets: fields count from the last bracket.
                state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    new = {root}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


def end_descendants(root: int, spare: set[int], grace_s: float) -> int:
    """Waits for the processes below ``root`` to leave, then kills the rest.

    Args:
        root: Process whose descendants are meant; it stays.
        spare: Descendants that stay too.
        grace_s: How long they may take to leave by themselves, in seconds.

    Returns:
        How many were still there when the grace was over.
    """
    until = time.monotonic() + grace_s
    while (left := descendants(root) - spare) and time.monotonic() < until:
        _reap(left)
        time.sleep(0.02)
    count = len(left)
    for _ in range(200):
        # All stand still before the first one dies: a fork bomb refills what is killed one by one.
        for what in (signal.SIGSTOP, signal.SIGKILL):
            for pid in descendants(root) - spare:
                with contextlib.suppress(OSError):
                    os.kill(pid, what)
        _reap(left)
        left = descendants(root) - spare
        if not left:
            break
        time.sleep(0.01)
    return count


def _reap(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.waitpid(pid, os.WNOHANG)
