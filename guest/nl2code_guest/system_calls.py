"""The few Linux calls that Python's `os` lacks. Imported by every process of the guest."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Callable, Iterable

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36

#: Flag of a process in /proc/<pid>/stat; include/linux/sched.h.
_PF_EXITING = 0x4

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")


def set_dumpable(on: bool) -> None:
    """Opens or closes this process's memory and descriptors to others of its user."""
    _prctl(_PR_SET_DUMPABLE, int(on))


def become_reaper() -> None:
    """Makes orphans among the descendants children of this process, as pid 1 has it anyway."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Ties this process's life to its present parent."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def be_killed_first() -> None:
    """Makes this process, not the init, the one that goes when memory runs out."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")


def flush_c_streams() -> None:
    """Writes out what C code has buffered for its standard streams."""
    _libc.fflush(None)


def close_all_but(keep: Iterable[int]) -> None:
    """Closes every descriptor of this process that is not in `keep`."""
    top = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16)
    low = 0
    for fd in (*sorted(keep), top):
        # An empty range that starts at 0 means every descriptor to close_range(2).
        if low < fd:
            os.closerange(low, fd)
        low = fd + 1


def _stat_fields(pid: int | str) -> list[bytes]:
    """What /proc/<pid>/stat says after the command, which may hold anything, also parentheses. Raises OSError."""
    with open(f"/proc/{pid}/stat", "rb") as stat:
        return stat.read().rpartition(b")")[2].split()


def is_exiting(pid: int | str) -> bool:
    """Whether Linux has begun to end this process, or has ended it: what it holds is closed bit by bit."""
    try:
        return bool(int(_stat_fields(pid)[6]) & _PF_EXITING)
    except OSError:
        return True


def has_stopped(pid: int) -> bool:
    """Whether no thread of this process runs any code of its own any more. Giving gigabytes back takes a while."""
    if not is_exiting(pid):
        return False
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return True
    return all(is_exiting(f"{pid}/task/{thread}") for thread in threads)


def _descendants(of: int, spared: Callable[[int], bool]) -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat_fields(name)[1]), []).append(int(name))
    found: list[int] = []
    queue = [of]
    while queue:
        for pid in children.get(queue.pop(), ()):
            if not spared(pid):
                found.append(pid)
                queue.append(pid)
    return found


def kill_descendants(spare: Iterable[int] = ()) -> None:
    """Kills every descendant of this process but those in `spare` and theirs."""
    kept = frozenset(spare)
    for _ in range(3):
        pids = _descendants(os.getpid(), kept.__contains__)
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            return
