"""The kernel's end of its socket to the init.

Read by whoever waits: the idle loop, a call of a tool in any thread, and the handler of SIGINT in the midst of user
code. What has arrived is sorted into containers whose single operations are atomic, so that none of them hides a
message from another. Invariants: (1) bytes are read and cut into frames by one reader at a time, and never by a handler
that interrupted one; (2) a frame is sent whole, and read whole, also where user code's own signal handlers raise.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nl2code_guest.frames import Frame, FrameReader, encode_frame

#: A waiting call looks again after this: another reader may have taken its answer off the socket.
_LOOK_S = 0.2


class KernelChannel:
    """Messages of the init in, messages of the kernel out."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = FrameReader()
        # Entered again by a handler in the same thread, which then finds `_reading`.
        self._lock = threading.RLock()
        self._reading = False
        self._sending = threading.Lock()
        self._commands: deque[Frame] = deque()
        self._interrupts: set[int] = set()
        self._results: dict[tuple[int, int], dict[str, Any]] = {}

    def send(self, header: dict[str, Any], body: Iterable[bytes] = ()) -> None:
        """Sends a message; not for the midst of user code."""
        data = encode_frame(header, body)
        with self._sending:
            self._sock.sendall(data)

    def next(self, other: int | None = None, seconds: float | None = None) -> Frame | None:
        """The next message, for the idle loop; None when the descriptor `other` can be read first, or time is up."""
        while not self._commands:
            if self._sock.fileno() not in self._ready(other, seconds):
                return None
            self._read()
        return self._commands.popleft()

    def interrupted(self, k: int) -> bool:
        """Whether the init has asked for the end of cell `k` since this last said so."""
        self._read()
        try:
            self._interrupts.remove(k)
        except KeyError:
            return False
        return True

    def ask(self, header: dict[str, Any], wanted: Callable[[], bool]) -> bool:
        """Sends a message from the midst of user code; False when it is not `wanted` once its turn has come."""
        data = encode_frame(header)
        with _undisturbed(), self._sending:
            # A thread may come here just when its cell has ended, which is the next thing to be sent.
            if not wanted():
                return False
            self._sock.sendall(data)
        return True

    def answer(self, key: tuple[int, int], other: int | None, wanted: Callable[[], bool]) -> dict[str, Any] | bool:
        """Waits a moment for the answer to a call; without one, whether the descriptor `other` can be read.

        Reads nothing when it is not `wanted` any more: what comes then is for the idle loop, which would not wake.
        """
        if found := self._results.pop(key, None):
            return found
        ready = self._ready(other, _LOOK_S)
        if self._sock.fileno() in ready:
            with _undisturbed(), self._lock:
                if wanted():
                    self._read()
        return self._results.pop(key, None) or other in ready

    def forget(self) -> None:
        """Drops what was meant for a cell that has ended."""
        self._interrupts.clear()
        self._results.clear()

    def close(self) -> None:
        """Closes this process's copy of the socket."""
        self._sock.close()

    def _ready(self, other: int | None, seconds: float | None) -> list[int]:
        # Not select(2), which takes no descriptor above 1023.
        poll = select.poll()
        for fd in (self._sock.fileno(), other):
            if fd is not None:
                poll.register(fd, select.POLLIN)
        return [fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)]

    def _read(self) -> None:
        """Takes what has arrived."""
        with self._lock:
            if self._reading:
                return
            self._reading = True
            try:
                data = self._sock.recv(1 << 18, socket.MSG_DONTWAIT)
                if not data:
                    os._exit(0)
                for frame in self._reader.feed(data):
                    self._sort(frame)
            except BlockingIOError:
                pass
            finally:
                self._reading = False

    def _sort(self, frame: Frame) -> None:
        header = frame.header
        if header["type"] == "interrupt":
            self._interrupts.add(header["k"])
        elif header["type"] == "tool-result":
            self._results[header["k"], header["call"]] = header
        else:
            self._commands.append(frame)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal of this thread is handled here."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # Both calls let what is pending be handled, which may raise.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _FAULTS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


#: What a process does to itself must not be held back.
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
