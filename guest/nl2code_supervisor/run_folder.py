"""The sandbox's folder `run/`: lock, state, lease and log. Written by the host side only; never visible inside.

Everything goes through an open descriptor, because a warm sandbox's folder is renamed when a session claims it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from typing import NamedTuple


class State(NamedTuple):
    """What `run/state.json` says. A pointer for the worker: it proves nothing that `/proc` does not confirm."""

    id: str
    pid: int
    startTime: int | None
    childPid: int | None
    childStartTime: int | None
    bootId: str
    isolation: str
    memoryLimit: str
    uid: int
    hashSeed: int
    cgroups: tuple[str, ...] = ()
    #: How often a limit has ended a process inside, and the sentence about the last time.
    kills: int = 0
    killedBecause: str | None = None
    endedBecause: str | None = None


class RunFolder:
    """Owner of `run/` for as long as the sandbox lives."""

    def __init__(self, folder: str) -> None:
        self.fd = os.open(f"{folder}/run", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        self._lock = -1

    def lock(self) -> bool:
        """Takes the folder for this process; False when another supervisor has it."""
        self._lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=self.fd)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def write(self, state: State) -> None:
        """Replaces `state.json` in one rename."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with open(os.open("state.tmp", flags, 0o600, dir_fd=self.fd), "w") as file:
            json.dump(state._asdict(), file)
        os.rename("state.tmp", "state.json", src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def lease_ms(self, default: int) -> int:
        """The lease in `run/lease`, which a worker writes when it claims a warm sandbox; `default` without one."""
        try:
            with open(os.open("lease", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self.fd)) as file:
                return max(1, int(file.read(32)))
        except (OSError, ValueError):
            return default

    def append_log(self, data: bytes) -> None:
        """Adds to `guest.log`, what the guest's own processes print when they fail."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with open(os.open("guest.log", flags, 0o600, dir_fd=self.fd), "ab") as file:
            file.write(data)

    def remove(self, name: str) -> None:
        """Removes one file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def gone(self) -> bool:
        """Whether somebody has deleted the folder, which ends the sandbox."""
        return os.fstat(self.fd).st_nlink == 0
