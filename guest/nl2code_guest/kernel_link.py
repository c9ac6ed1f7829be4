"""The kernel as the init sees it: a process, two sockets of its own and two pipes.

The kernel never gets a host stream, the control socket or the ledger. What lies in the pipes when it announces the end
of a cell belongs to that cell; what comes between cells is read, so that no writer blocks, and dropped.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import socket
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

from nl2code_guest.cell_output import Stream
from nl2code_guest.frames import Frame, FrameError, encode_frame
from nl2code_guest.saves import Saves, saves_pair
from nl2code_guest.system_calls import has_stopped, is_exiting
from nl2code_guest.wire import Wire

_PIPE_BYTES = 256 << 10
_READ_BYTES = 256 << 10
_NO_COUNT = bytes(4)


class KernelLink:
    """One kernel process, or the request for one while `pid` is None."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[FrameError | None], None],
        on_output: Callable[[Stream, bytes], None],
        on_state: Callable[[Frame], None],
    ) -> None:
        self._selector = selector
        self._on_output = on_output
        self.pid: int | None = None
        #: Since when it brings back a saved state, on the monotonic clock; None when it does not.
        self.restoring_since: float | None = None
        #: Whether it was forked before the zygote had imported everything.
        self.early = False
        #: Whether nothing but the look at the inputs ran in it, which leaves nothing behind.
        self.pristine = True
        #: Whether it took the place of one that had lost nothing, so that a whole restore is no news.
        self.quiet = False
        #: When to end it, on the monotonic clock, if it has not died by itself.
        self.doomed_at: float | None = None
        #: Whether it was ended because its socket was closed or misused.
        self.broken = False
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        saves, its_saves = saves_pair()
        self._pipes: dict[Stream, int] = {}
        #: The kernel's ends: socket, stdout, stderr, socket for states. Closed once they were handed over.
        self.handover = [theirs.detach()]
        for stream in _STREAMS:
            ours, its = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(ours, False)
            with contextlib.suppress(OSError):
                fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self._pipes[stream] = ours
            self.handover.append(its)
            selector.register(ours, selectors.EVENT_READ, self._reader(stream, ours))
        self.handover.append(its_saves.detach())
        self._saves = Saves(saves, selector, on_state, on_end)
        self._wire = Wire(mine, selector, on_frame, on_end)

    @property
    def ready(self) -> bool:
        """Whether it can be given a cell."""
        return self.pid is not None and self.restoring_since is None and not self.has_stopped()

    def restore(self, head: int, exact: bool, at_start: bytes | None) -> None:
        """Asks for the state after cell `head`; answered by `restored` or `unrestorable`."""
        self.restoring_since = time.monotonic()
        self._wire.send_bytes(encode_frame({"type": "restore", "head": head, "exact": exact}, (at_start or b"",)))

    def handed_over(self) -> None:
        """Closes this side's copies of the kernel's descriptors."""
        for fd in self.handover:
            os.close(fd)
        self.handover = []

    def send(self, header: dict[str, Any]) -> None:
        """Sends the kernel a message."""
        self._wire.send(header)

    def interrupt(self, k: int) -> None:
        """Asks for the end of cell `k`: the message says which cell is meant, the signal only wakes the kernel."""
        self.send({"type": "interrupt", "k": k})
        self._signal(signal.SIGINT)

    def has_stopped(self) -> bool:
        """Whether the process does nothing any more, also before its end is seen."""
        return self.pid is not None and has_stopped(self.pid)

    def is_dying(self) -> bool:
        """Whether the process is on its way out, or gone."""
        return self.pid is not None and is_exiting(self.pid)

    def end_as_broken(self) -> None:
        """Ends a kernel that there is no way back to."""
        self.doomed_at = None
        self.broken = True
        self.kill()

    def kill(self) -> None:
        """Ends the kernel and its process group at once."""
        self._signal(signal.SIGKILL)

    def read_states(self) -> None:
        """Handles the states that have come."""
        self._saves.read()

    def read_messages(self) -> None:
        """Handles what a dead kernel still said."""
        self._saves.read()
        self._wire.read()

    def drain(self) -> None:
        """Reads exactly what lies in the pipes now, however fast somebody writes into them."""
        for stream, fd in self._pipes.items():
            missing = int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, _NO_COUNT), sys.byteorder)
            while missing > 0 and (data := _read(fd, missing)):
                missing -= len(data)
                self._on_output(stream, data)

    def close(self) -> None:
        """Forgets the kernel; its pipes and socket are closed."""
        self.handed_over()
        self._wire.close()
        self._saves.close()
        for fd in self._pipes.values():
            with contextlib.suppress(KeyError):
                self._selector.unregister(fd)
            os.close(fd)
        self._pipes = {}

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is None:
            return
        try:
            # The group, as a terminal does it: what the cell waits for in C ends with it.
            os.killpg(self.pid, number)
        except OSError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _reader(self, stream: Stream, fd: int) -> Callable[[int], None]:
        def on_events(_mask: int) -> None:
            if self._pipes.get(stream) != fd:
                return
            data = _read(fd, _READ_BYTES)
            if data:
                self._on_output(stream, data)
            elif data == b"":
                # Every writer is gone or has closed it; an end of file would wake the loop for ever.
                with contextlib.suppress(KeyError):
                    self._selector.unregister(fd)

        return on_events


_STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")


def _read(fd: int, most: int) -> bytes | None:
    try:
        return os.read(fd, most)
    except BlockingIOError:
        return None
