"""Who a sandbox runs as. A worker that is root gives every sandbox a uid of its own; anybody else keeps theirs."""

from __future__ import annotations

import os
import stat
import zlib

#: (first uid, how many): a range that systemd and the distributions leave unused, then one for small user namespaces.
RANGES = ((1_900_000_000, 200_000_000), (20_000, 40_000))


class IdentityError(RuntimeError):
    """No unprivileged uid can be had."""


def choose_uid(folder: str) -> int:
    """The uid for a folder's sandbox: the owner of its workspace if that is one of ours, else derived from its path.

    Raises:
        IdentityError: this is root in a user namespace that maps no usable uid.
    """
    if os.getuid() != 0:
        return os.getuid()
    ranges = [(first, count) for first, count in RANGES if _mapped(first) and _mapped(first + count - 1)]
    if not ranges:
        raise IdentityError(
            "root has no unprivileged uid to run a sandbox as: /proc/self/uid_map maps none of our ranges"
        )
    owner = os.lstat(f"{folder}/workspace").st_uid
    if any(first <= owner < first + count for first, count in ranges):
        return owner
    first, count = ranges[0]
    return first + zlib.crc32(os.fsencode(folder)) % count


def _mapped(uid: int) -> bool:
    try:
        with open("/proc/self/uid_map") as file:
            for line in file:
                inside, _, count = (int(value) for value in line.split())
                if inside <= uid < inside + count:
                    return True
    except OSError:
        return True
    return False


def give(folder: str, uid: int) -> None:
    """Hands `folder` and what lies in it to `uid`, following no link. Files with several names stay as they are."""
    if os.getuid() != 0:
        return
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owned = os.fstat(top).st_uid == uid
        os.fchown(top, uid, uid)
        if owned and not _foreign_entry(top, uid):
            return
        for _, folders, files, here in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            for name in folders + files:
                entry = os.stat(name, dir_fd=here, follow_symlinks=False)
                if entry.st_uid != uid and (stat.S_ISDIR(entry.st_mode) or entry.st_nlink == 1):
                    os.chown(name, uid, uid, dir_fd=here, follow_symlinks=False)
    finally:
        os.close(top)


def _foreign_entry(top: int, uid: int) -> bool:
    with os.scandir(top) as entries:
        return any(entry.stat(follow_symlinks=False).st_uid != uid for entry in entries)


def become(uid: int) -> None:
    """Drops root for good: groups, capability bounds, gid, uid. Nothing to do for anybody else."""
    if os.getuid() != 0:
        return
    from .system_calls import drop_capability_bounds

    drop_capability_bounds()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
