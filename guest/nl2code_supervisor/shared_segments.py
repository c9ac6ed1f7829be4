"""Makes sure that nobody can write to what a sandbox's checkpoint shares with others.

A fork's segments are links to read-only files of root (`src/sandbox/fork-checkpoint.ts`), which no sandbox can open for
writing. But code of the session it came from may have opened one before it became root's. The kernel knows: it gives
no lease on a file that is open for writing. Such a file is replaced by a copy here, before the sandbox runs anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat

SUFFIX = ".segment"


def settle(checkpoint: str) -> None:
    """Replaces what others may still write to, in the folder `checkpoint` of a sandbox that is about to start.

    Follows no link. Does nothing unless this is root, who alone can have shared anything. What can't be copied is left
    out: the session's records make it good.
    """
    if os.getuid() != 0:
        return
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        top = os.open(checkpoint, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _settle(os.open("segments", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top))
        finally:
            os.close(top)


def _settle(folder: int) -> None:
    try:
        for name in os.listdir(folder):
            if name.endswith(SUFFIX):
                _settle_one(name, folder)
    finally:
        os.close(folder)


def _settle_one(name: str, folder: int) -> None:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return
    try:
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_uid == 0 and not _only_read(fd):
            try:
                _replace(name, folder, fd, found.st_size)
            except OSError:
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(fd)


def _only_read(fd: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        # Open for writing, or a file system that can't tell.
        return False
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def _replace(name: str, folder: int, fd: int, size: int) -> None:
    copy = f"{name}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(copy, dir_fd=folder)
    to = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444, dir_fd=folder)
    try:
        at = 0
        while at < size and (sent := os.sendfile(to, fd, at, size - at)):
            at += sent
        os.fchmod(to, 0o444)
    finally:
        os.close(to)
    os.rename(copy, name, src_dir_fd=folder, dst_dir_fd=folder)
