"""A memory, process and CPU limit on the whole sandbox by control group, where this process may make one.

Version 2 needs a group that was delegated to us with its controllers on (root, or below `user@.service`); version 1
needs root. Where neither is to be had the supervisor measures memory itself.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

from .spec import Limits

PARENT = "nl2code"
#: On version 1 the group of all sandboxes would weigh as much as one ordinary process.
PARENT_SHARES = "8192"
SWEEP_AFTER_SECONDS = 600


class Cgroup(NamedTuple):
    """The groups of one sandbox: one on version 2, one per controller on version 1."""

    paths: tuple[str, ...]
    #: Open file whose line `oom_kill N` counts processes that the memory limit ended; by path only root could read it.
    events: int

    def join(self) -> None:
        """Moves the calling process in; its children follow."""
        for path in self.paths:
            _write(f"{path}/cgroup.procs", "0")

    def oom_kills(self) -> int:
        """How many processes the memory limit has ended so far."""
        with contextlib.suppress(OSError):
            for line in os.pread(self.events, 4096, 0).decode().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0

    def remove(self) -> None:
        """Removes the groups that this process may remove; the worker or its reaper removes the others."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def create_cgroup(name: str, limits: Limits) -> Cgroup | None:
    """Makes the groups of a sandbox with its limits set, or None where that is not possible."""
    mounts = _mounts()
    if "memory" in mounts:
        return _create_v1(name, limits, mounts)
    if "2" in mounts:
        return _create_v2(name, limits, mounts["2"])
    return None


def _mounts() -> dict[str, str]:
    """Mount point by version-1 controller, and under `2` that of version 2."""
    found: dict[str, str] = {}
    try:
        with open("/proc/self/mountinfo") as file:
            for line in file:
                before, _, after = line.partition(" - ")
                kind, _, options = after.split(" ", 2)
                point = before.split(" ")[4]
                if kind == "cgroup2":
                    found["2"] = point
                elif kind == "cgroup":
                    for option in options.strip().split(","):
                        if option in ("memory", "pids", "cpu"):
                            found[option] = point
    except (OSError, ValueError):
        pass
    return found


def _sweep(parent: str) -> None:
    """Removes groups that nobody could remove when their sandbox ended; what is in use or being made stays."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        _discard([e.path for e in entries if e.is_dir() and e.stat().st_mtime < time.time() - SWEEP_AFTER_SECONDS])


def _create_v1(name: str, limits: Limits, mounts: dict[str, str]) -> Cgroup | None:
    settings: dict[str, list[tuple[str, str]]] = {
        "memory": [("memory.limit_in_bytes", str(limits.memory_bytes))],
        "pids": [("pids.max", str(limits.processes))],
        "cpu": [("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", str(int(limits.cpus * 100_000)))],
    }
    paths: list[str] = []
    for controller, values in settings.items():
        if controller not in mounts:
            continue
        _sweep(f"{mounts[controller]}/{PARENT}")
        path = f"{mounts[controller]}/{PARENT}/{name}"
        try:
            os.makedirs(path, exist_ok=True)
            if controller == "cpu":
                _try_write(f"{mounts[controller]}/{PARENT}/cpu.shares", PARENT_SHARES)
            for file, value in values:
                _write(f"{path}/{file}", value)
        except OSError:
            if controller == "memory":
                _discard([*paths, path])
                return None
            _discard([path])
            continue
        paths.append(path)
    memory = paths[0]
    _try_write(f"{memory}/memory.memsw.limit_in_bytes", str(limits.memory_bytes))
    return Cgroup(tuple(dict.fromkeys(paths)), os.open(f"{memory}/memory.oom_control", os.O_RDONLY))


def _create_v2(name: str, limits: Limits, root: str) -> Cgroup | None:
    try:
        with open("/proc/self/cgroup") as file:
            own = next(line.strip()[3:] for line in file if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    here = os.path.normpath(f"{root}/{own}")
    candidates = [f"{root}/{PARENT}"] if os.getuid() == 0 else []
    candidates += [os.path.dirname(here)] if here != os.path.normpath(root) else []
    for parent in candidates:
        path = f"{parent}/{PARENT}-{name}"
        try:
            if parent == f"{root}/{PARENT}":
                os.makedirs(parent, exist_ok=True)
                _sweep(parent)
                for controller in ("+memory", "+pids", "+cpu"):
                    _try_write(f"{parent}/cgroup.subtree_control", controller)
            os.makedirs(path, exist_ok=True)
            _write(f"{path}/memory.max", str(limits.memory_bytes))
            _try_write(f"{path}/memory.swap.max", "0")
            _try_write(f"{path}/pids.max", str(limits.processes))
            _try_write(f"{path}/cpu.max", f"{int(limits.cpus * 100_000)} 100000")
            # The right to move a process in depends on the group both have in common: try it before relying on it.
            if os.getuid() != 0 and not os.access(f"{parent}/cgroup.procs", os.W_OK):
                raise PermissionError(parent)
        except OSError:
            _discard([path])
            continue
        return Cgroup((path,), os.open(f"{path}/memory.events", os.O_RDONLY))
    return None


def _write(path: str, value: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _try_write(path: str, value: str) -> None:
    with contextlib.suppress(OSError):
        _write(path, value)


def _discard(paths: list[str]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            os.rmdir(path)
