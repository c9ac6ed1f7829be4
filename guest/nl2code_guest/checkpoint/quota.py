"""What a session may still write, so that a save that would not fit is refused in a sentence and not cut off.

The host enforces the limit from outside, by ending cells; asking here first keeps a save from being what it ends.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

#: Left for the manifest and the journal, which the init writes.
_RESERVE_BYTES = 2 << 20
#: Far from the limit, measuring at every save would cost more than the save.
_SAVES_PER_MEASUREMENT = 16


class Quota:
    """The limit of what some folders may hold together; it is measured when it matters and estimated between.

    Args:
        folders: Normally the workspace and the checkpoint.
        limit_bytes: None when nothing is limited.
    """

    def __init__(self, folders: Sequence[str], limit_bytes: int | None) -> None:
        self._folders = folders
        self._limit = limit_bytes
        self._room = 0
        self._saves = 0

    def doubt(self) -> None:
        """Another process writes, or has written: what is known of the room is not true any more."""
        self._room = 0

    def begin(self) -> None:
        """A save begins to write: measures anew when less than half of the limit is left, and now and then before."""
        if self._limit is None:
            return
        if self._room < self._limit // 2 or self._saves % _SAVES_PER_MEASUREMENT == 0:
            self._measure(self._limit)
        self._saves += 1

    def take(self, nbytes: int) -> None:
        """Counts bytes that are about to be written.

        Raises:
            OSError: EDQUOT; they don't fit. The message is one sentence.
        """
        if self._limit is None:
            return
        if nbytes > self._room:
            self._measure(self._limit)
        if nbytes > self._room:
            held = (self._limit - _RESERVE_BYTES - self._room) >> 20
            raise OSError(
                errno.EDQUOT,
                f"The session's files and saved state hold {held} MiB of the {self._limit >> 20} MiB it may have, "
                f"and {nbytes} bytes more do not fit; delete files or variables that are no longer needed",
            )
        self._room -= nbytes

    def _measure(self, limit: int) -> None:
        self._room = limit - _RESERVE_BYTES - sum(disk_bytes(folder) for folder in self._folders)


def disk_bytes(folder: str) -> int:
    """Bytes of disk that a folder's files take up, each inode once; links are not followed, what can't be read is 0."""
    total = 0
    counted: set[tuple[int, int]] = set()
    stack = [folder]
    while stack:
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    if found.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        if (found.st_dev, found.st_ino) in counted:
                            continue
                        counted.add((found.st_dev, found.st_ino))
                    total += found.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
        except OSError:
            continue
    return total
