"""Holds the size limit of what a sandbox writes on the host's disk."""

from __future__ import annotations

import os
import signal
import stat

from .launch import Sandbox
from .process_table import cells, descendants

WRITABLE = ("workspace", "checkpoint", "scratch")
MAX_ENTRIES = 200_000
MAX_DEPTH = 64
#: The host keeps at least so much free, whatever the limit of one sandbox is.
FREE_FLOOR_BYTES = 256 << 20
#: A session over its limit may run cells that delete, but not grow by more than this.
SLACK_BYTES = 1 << 20


class TooMuch(Exception):
    """The tree has more entries or levels than a sandbox may make."""


class Usage:
    """Blocks in use, counting every inode once."""

    def __init__(self) -> None:
        self.total = 0
        self.entries = 0
        self._counted: set[tuple[int, int]] = set()

    def add(self, entry: os.stat_result) -> None:
        """Counts one inode."""
        if entry.st_nlink != 1:
            key = (entry.st_dev, entry.st_ino)
            if key in self._counted:
                return
            self._counted.add(key)
        self.total += entry.st_blocks * 512


def measure(top: int, usage: Usage) -> None:
    """Adds everything below the open folder `top` to `usage`, following no link; raises `TooMuch`."""
    stack = [(os.dup(top), 0)]
    try:
        while stack:
            fd, depth = stack.pop()
            try:
                with os.scandir(fd) as entries:
                    for entry in entries:
                        usage.entries += 1
                        if usage.entries > MAX_ENTRIES:
                            raise TooMuch(f"it holds more than {MAX_ENTRIES} files")
                        try:
                            found = entry.stat(follow_symlinks=False)
                            usage.add(found)
                            if stat.S_ISDIR(found.st_mode):
                                if depth >= MAX_DEPTH:
                                    raise TooMuch(f"its folders are nested deeper than {MAX_DEPTH}")
                                stack.append((_enter(entry.name, fd), depth + 1))
                        except (FileNotFoundError, NotADirectoryError):
                            continue
            finally:
                os.close(fd)
    finally:
        for fd, _ in stack:
            os.close(fd)


def _enter(name: str, parent: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=parent)
    except PermissionError:
        # A cell that took away its own right to look must not hide files from the limit.
        hidden = os.open(name, getattr(os, "O_PATH", 0) | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{hidden}", 0o700)
            return os.open(name, flags, dir_fd=parent)
        finally:
            os.close(hidden)


class DiskWatch:
    """Checks the size of the writable folders once per tick."""

    def __init__(self, sandbox: Sandbox, folder: str, limit: int) -> None:
        self._sandbox = sandbox
        self._limit = limit
        self._allowed = limit
        self._tops = [os.open(f"{folder}/{name}", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) for name in WRITABLE]
        self._devices = {os.fstat(top).st_dev for top in self._tops}

    def tick(self) -> str | None:
        """Ends what runs in the sandbox when its files are over the limit; returns why, if anything was ended."""
        usage = Usage()
        why: str | None = None
        try:
            for top in self._tops:
                measure(top, usage)
            self._add_deleted(usage)
        except TooMuch as error:
            why = f"the workspace went over its limit: {error}; the cell was ended"
        except OSError:
            return None
        if why is None and usage.total > self._allowed:
            why = (
                f"the workspace went over its disk limit of {self._limit >> 20} MiB "
                f"(it holds {usage.total >> 20} MiB) and the cell was ended"
            )
            self._allowed = max(self._limit, usage.total + SLACK_BYTES)
        elif usage.total <= self._limit:
            self._allowed = self._limit
        if why is None and usage.total > SLACK_BYTES:
            free = os.fstatvfs(self._tops[0])
            if free.f_bavail * free.f_frsize < FREE_FLOOR_BYTES:
                why = f"the host has less than {FREE_FLOOR_BYTES >> 20} MiB of free disk left and the cell was ended"
        if why is None or not self._end_cells():
            return None
        return why

    def _add_deleted(self, usage: Usage) -> None:
        """Files without a name still fill the disk for as long as a process holds them open."""
        for pid in descendants(self._sandbox.first):
            try:
                names = os.listdir(f"/proc/{pid}/fd")
            except OSError:
                continue
            for name in names:
                try:
                    held = os.stat(f"/proc/{pid}/fd/{name}")
                except OSError:
                    continue
                if held.st_nlink == 0 and held.st_dev in self._devices and stat.S_ISREG(held.st_mode):
                    usage.add(held)

    def _end_cells(self) -> bool:
        ended = False
        for pid in cells(self._sandbox.first):
            try:
                os.kill(pid, signal.SIGKILL)
                ended = True
            except ProcessLookupError:
                continue
        return ended
