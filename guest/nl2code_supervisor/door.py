"""How a dropped uid reaches files below folders it may not enter, such as a data directory of mode 0700.

Root makes a private mount namespace and binds every source to a place all may reach. bubblewrap, started in that
namespace as the sandbox's uid, binds from there. Without root the sources must be readable by the user and the door
stays shut.
"""

from __future__ import annotations

import os

from .system_calls import CLONE_NEWNS, MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_REC, MS_SLAVE, mount, unshare


class Door:
    """Turns host paths into paths that the sandbox's uid can bind."""

    def __init__(self, sources: list[str]) -> None:
        self._through: dict[str, str] = {}
        if os.getuid() != 0:
            return
        unshare(CLONE_NEWNS)
        # Slave, not private: what the host unmounts later must not stay busy because of us.
        mount(None, "/", None, MS_REC | MS_SLAVE)
        # Descriptors first: the place that is mounted over may hold a source itself.
        fds = {source: os.open(source, os.O_PATH) for source in sources}
        place = "/mnt" if os.path.isdir("/mnt") else "/tmp"
        mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=755")
        for number, (source, fd) in enumerate(fds.items()):
            target = f"{place}/{number}"
            if os.path.isdir(f"/proc/self/fd/{fd}"):
                os.mkdir(target)
            else:
                os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
            mount(f"/proc/self/fd/{fd}", target, None, MS_BIND)
            os.close(fd)
            self._through[source] = target

    def through(self, source: str) -> str:
        """The path to hand to bubblewrap for `source`."""
        return self._through.get(source, source)
