"""Which segments have been read through and found whole, so that a restore does not read gigabytes again.

`segments/verified` has a line for each: boot id, segment, inode, size, time in ns, set apart by blanks. A line counts
when all of it is still so. Any write to a file changes its times, and a loss of power (the one event that can take
written data and leave its file) changes the boot id: so after either the segment is read through once.

The time is the ctime, which no program can set back. But it changes with each name that a file is given or loses, and
what is shared with forks (`fork-checkpoint.ts`) is given and loses names that are none of ours. Such a file belongs to
another user and is read-only, so nothing in this sandbox can write to it or set its times: there it is the mtime.

Whoever wrote a segment adds it too. Lines are only appended, by the kernel or its serialising child; one that is cut or
glued to another never has five fields and this boot's id, so it does not count. A record that can't be written costs
time only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat

_MAX_BYTES = 16 << 20


@functools.cache
def boot_id() -> str:
    """Names the time since the machine's start; where that can't be asked, the time since this process's start."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip().replace("-", "")
    except (OSError, ValueError):
        return os.urandom(16).hex()


class VerifiedRecord:
    """The record of one folder of segments."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "verified")
        self._lines: set[str] = set()
        self._read_bytes = 0

    def holds(self, name: str, found: os.stat_result) -> bool:
        """Whether the file that has this stat was found whole."""
        line = _line(name, found)
        if line not in self._lines:
            self._read()
        return line in self._lines

    def add(self, name: str, found: os.stat_result) -> None:
        """Records that the file that has this stat is whole."""
        line = _line(name, found)
        self._lines.add(line)
        with contextlib.suppress(OSError):
            self._append(line + "\n", os.O_APPEND)

    def keep_only(self, names: set[str]) -> None:
        """Forgets all other segments, and other boots."""
        self._read()
        self._lines = {line for line in self._lines if line.split(" ")[1] in names}
        with contextlib.suppress(OSError):
            self._append("".join(line + "\n" for line in sorted(self._lines)), os.O_TRUNC)

    def _append(self, text: str, how: int) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | how | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def _read(self) -> None:
        """Takes in what another process has added."""
        with contextlib.suppress(OSError, ValueError):
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, encoding="ascii") as file:
                found = os.fstat(fd)
                if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES or found.st_size == self._read_bytes:
                    return
                lines = file.read().split("\n")
            self._read_bytes = found.st_size
            boot = boot_id() + " "
            self._lines.update(line for line in lines if line.startswith(boot) and line.count(" ") == 4)


def _line(name: str, found: os.stat_result) -> str:
    beyond_us = found.st_uid != os.geteuid() and not found.st_mode & 0o222
    at = f"m{found.st_mtime_ns}" if beyond_us else found.st_ctime_ns
    return f"{boot_id()} {name} {found.st_ino} {found.st_size} {at}"
