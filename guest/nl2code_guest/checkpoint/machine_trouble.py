"""Errors that say something about the machine at this moment, and nothing about what was saved."""

from __future__ import annotations

import errno

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_PASSING = _FULL | frozenset(
    (
        errno.EAGAIN,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    )
)


def is_passing(error: OSError) -> bool:
    """Whether the same may succeed later, when nothing but the machine has changed."""
    return error.errno in _PASSING


def is_full(error: OSError) -> bool:
    """Whether there was no room on the disk."""
    return error.errno in _FULL
