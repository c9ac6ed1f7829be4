"""What the kernel says about processes; empty answers where there is no /proc."""

from __future__ import annotations

import os

PAGE = os.sysconf("SC_PAGE_SIZE")


def start_time(pid: int) -> int | None:
    """Clock ticks after boot at which `pid` started: with the pid it names a process for ever. None when it is gone."""
    return _stat(pid, 19)


def session(pid: int) -> int | None:
    """Session id of `pid`, None when it is gone. A process can leave its session, but never enter another."""
    return _stat(pid, 3)


def _stat(pid: int, field: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return None
    # The name in parentheses may itself hold spaces and parentheses.
    return int(stat[stat.rindex(b")") + 2 :].split()[field])


def boot_id() -> str:
    """Identity of this boot of the machine, or '' where it has none."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    """Direct children of `pid`, over all its threads."""
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found.extend(int(child) for child in file.read().split())
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, parents first, without `pid` itself."""
    found: list[int] = []
    seen = {pid}
    queue = [pid]
    while queue:
        for child in children(queue.pop()):
            if child not in seen:
                seen.add(child)
                found.append(child)
                queue.append(child)
    return found


def cells(first: int) -> list[int]:
    """Processes below `first` that run cells: a kernel leaves the session that the guest's own processes stay in."""
    own = session(first)
    return [pid for pid in descendants(first) if session(pid) not in (own, None)]


def resident_bytes(pid: int) -> int:
    """Resident memory including pages shared with others; 0 when the process is gone. About 12 µs."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def proportional_bytes(pid: int) -> int:
    """Resident memory with each shared page divided among its users. About 1 ms for a large process."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        # Not readable for a process that made itself undumpable: its own pages only.
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                fields = file.read().split()
                return (int(fields[1]) - int(fields[2])) * PAGE
        except (OSError, IndexError):
            return 0
    return 0
