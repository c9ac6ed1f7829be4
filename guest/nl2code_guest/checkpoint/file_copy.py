"""Copies between files inside the system, where file systems that can (reflink) share the blocks."""

from __future__ import annotations

import errno
import os

#: The file system, the kernel or the sandbox has no such copy; of an error of a disk nobody knows whose disk it is.
_NONE_HERE = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ETXTBSY, errno.EIO)


def copy_range(source: int, at: int, target: int, to: int, length: int) -> int | None:
    """Copies `length` bytes of `source` at `at` to `target` at `to`.

    Returns:
        How many were there to copy; None when such a copy is not to be had here, and the bytes must go through memory.

    Raises:
        OSError: it failed; the disk is full, say.
    """
    if not hasattr(os, "copy_file_range"):
        return None
    done = 0
    while done < length:
        try:
            copied = os.copy_file_range(source, target, length - done, at + done, to + done)
        except OSError as error:
            if error.errno in _NONE_HERE:
                return None
            raise
        if copied == 0:
            break
        done += copied
    return done
