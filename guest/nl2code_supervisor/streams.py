"""The listening socket and the streams that were accepted on it.

A stream's descriptor goes to the guest, so bytes cross no further process. A duplicate stays here for one purpose: to
see its host end hang up, and so to know when no worker holds a stream. The guest can end that early, never put it off.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket

#: Hang-ups and errors are reported unasked.
HANG_UP = getattr(select, "POLLRDHUP", 0)
SOCKET = "s.sock"
MAX_STREAMS = 64


class Streams:
    """Owner of the listening socket in `run/` and of the duplicates."""

    def __init__(self, run_fd: int, uid: int) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The address of a unix socket holds 107 bytes; the name relative to its folder always fits.
        os.fchdir(run_fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)
        self.listener.bind(SOCKET)
        os.chmod(SOCKET, 0o600)
        if os.getuid() == 0:
            os.chown(SOCKET, uid, uid)
        os.chdir("/")
        self.listener.listen(16)
        self.listener.setblocking(False)
        self._held: dict[int, socket.socket] = {}

    def accept(self, control: socket.socket, poll: select.poll) -> None:
        """Hands one waiting connection to the guest; a guest that takes none loses it."""
        try:
            stream, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if len(self._held) >= MAX_STREAMS:
            stream.close()
            return
        try:
            socket.send_fds(control, [b"\0"], [stream.fileno()])
        except OSError:
            stream.close()
            return
        self._held[stream.fileno()] = stream
        poll.register(stream, HANG_UP)

    def hung_up(self, fd: int, poll: select.poll) -> bool:
        """Forgets the stream `fd` if it is one of ours."""
        stream = self._held.pop(fd, None)
        if stream is None:
            return False
        poll.unregister(fd)
        stream.close()
        return True

    @property
    def count(self) -> int:
        """How many streams a worker still holds."""
        return len(self._held)
