"""A socket of the init that speaks frames and never blocks it.

Owned by the init's loop. Invariants: (1) `on_end` is called once, when the peer left or broke the rules, never after
`close`; (2) what is sent arrives in order or not at all; (3) a peer that does not read costs at most
`MAX_PENDING_BYTES`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable
from typing import Any

from nl2code_guest.frames import MAX_BODY_BYTES, Frame, FrameError, FrameReader, encode_frame

MAX_PENDING_BYTES = 96 << 20
#: Above 128 KiB the C library maps fresh pages for every read.
_READ_BYTES = 1 << 16


class Wire:
    """Frames in, frames out, over one non-blocking stream socket."""

    def __init__(
        self,
        sock: socket.socket,
        selector: selectors.BaseSelector,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[FrameError | None], None],
        max_body: int = MAX_BODY_BYTES,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._selector = selector
        self._on_frame = on_frame
        self._on_end = on_end
        self._reader = FrameReader(max_body=max_body)
        self._pending = bytearray()
        self._ending = False
        self.closed = False
        selector.register(sock, selectors.EVENT_READ, self._on_events)

    def send(self, header: dict[str, Any]) -> None:
        """Queues a frame without a body and writes what the socket takes."""
        self.send_bytes(encode_frame(header))

    def send_bytes(self, data: bytes) -> None:
        """Queues an encoded frame and writes what the socket takes."""
        if self.closed:
            return
        if self._pending:
            self._pending += data
            if len(self._pending) > MAX_PENDING_BYTES:
                self._end(FrameError("The peer does not read."))
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._end(None)
            return
        if sent < len(data):
            self._pending += memoryview(data)[sent:]
            self._selector.modify(self._sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self._on_events)

    def read(self) -> None:
        """Handles everything that has arrived."""
        while not self.closed and self._read_once():
            pass

    def close(self) -> None:
        """Forgets the socket; its peer sees the end after what was sent."""
        if not self.closed:
            self.closed = True
            self._selector.unregister(self._sock)
            # The supervisor holds a duplicate of a host's stream: closing ours alone would tell the host nothing.
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            self._sock.close()

    def _on_events(self, mask: int) -> None:
        if not self.closed and mask & selectors.EVENT_WRITE:
            self._write_pending()
        if not self.closed and mask & selectors.EVENT_READ:
            self._read_once()

    def _read_once(self) -> bool:
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._end(None)
            return False
        try:
            for frame in self._reader.feed(data):
                if self.closed:
                    break
                self._on_frame(frame)
        except FrameError as error:
            self._end(error)
        return True

    def _write_pending(self) -> None:
        try:
            sent = self._sock.send(self._pending)
        except BlockingIOError:
            return
        except OSError:
            self._end(None)
            return
        del self._pending[:sent]
        if not self._pending:
            self._selector.modify(self._sock, selectors.EVENT_READ, self._on_events)

    def _end(self, error: FrameError | None) -> None:
        if not self._ending and not self.closed:
            self._ending = True
            self._on_end(error)
            self.close()
