"""Holds the memory limit where no control group does, and says when a control group did.

The sum of resident sizes counts shared pages several times, so it only decides whether to look closer.
"""

from __future__ import annotations

import os
import signal

from .cgroup import Cgroup
from .launch import Sandbox
from .process_table import cells, descendants, proportional_bytes, resident_bytes


class MemoryWatch:
    """Checks the sandbox's memory once per tick."""

    def __init__(self, sandbox: Sandbox, limit: int, cgroup: Cgroup | None) -> None:
        self._sandbox = sandbox
        self._limit = limit
        self._cgroup = cgroup
        self._seen = cgroup.oom_kills() if cgroup else 0

    def tick(self) -> str | None:
        """Ends the biggest process when the sandbox is over its limit; returns why, if anything was ended."""
        if self._cgroup is not None:
            kills = self._cgroup.oom_kills()
            if kills == self._seen:
                return None
            self._seen = kills
            return self._sentence()
        pids = descendants(self._sandbox.first)
        if sum(resident_bytes(pid) for pid in pids) <= self._limit:
            return None
        sizes = {pid: proportional_bytes(pid) for pid in pids}
        if sum(sizes.values()) <= self._limit:
            return None
        biggest = max(cells(self._sandbox.first) or pids, key=lambda pid: sizes.get(pid, 0))
        try:
            os.kill(biggest, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return self._sentence()

    def _sentence(self) -> str:
        return f"the sandbox went over its memory limit of {self._limit >> 20} MiB and its biggest process was ended"
