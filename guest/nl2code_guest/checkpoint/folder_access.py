"""Goes into folders by descriptor, so that a link that takes a folder's place meanwhile leads nowhere."""

from __future__ import annotations

import os
import stat

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def enter(name: str, parent: int) -> int:
    """A descriptor of a folder in a folder, which follows no link; raises OSError."""
    return os.open(name, _FOLDER, dir_fd=parent)


def enter_to_change(name: str, parent: int) -> int:
    """Like `enter`, and gives the owner every right to the folder first."""
    how = getattr(os, "O_PATH", os.O_RDONLY)
    handle = os.open(name, how | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & 0o700 != 0o700:
            # Linux changes no mode by an O_PATH descriptor, but by its name in /proc.
            os.chmod(f"/proc/self/fd/{handle}" if hasattr(os, "O_PATH") else handle, mode | 0o700)
    finally:
        os.close(handle)
    return enter(name, parent)


def remove(name: str, parent: int) -> bool:
    """Removes a file, a link or a folder with all it holds; false when there was nothing. Raises OSError."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=parent)
            return True
        fd = enter_to_change(name, parent)
        try:
            for inner in os.listdir(fd):
                remove(inner, fd)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return True
