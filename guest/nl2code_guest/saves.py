"""The socket on which states come from a kernel and from the child that saves for it.

Both may write at once, and a child may die in the middle of a state, so a message travels in packets that name it: what
stays incomplete is dropped and spoils nothing. Only whole messages reach the init.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
from collections.abc import Callable
from typing import Any

from nl2code_guest.frames import MAX_BODY_BYTES, MAX_HEADER_BYTES, Frame, FrameError, FrameReader, encode_frame

_PACKET_BYTES = 128 << 10
#: Name of the message, length of the whole of it.
_PREFIX = struct.Struct(">8sI")
_MAX_MESSAGE_BYTES = MAX_HEADER_BYTES + MAX_BODY_BYTES + 8
#: Messages under way at once: the kernel's, its child's, and one of a child that died.
_MAX_OPEN = 3


def saves_pair() -> tuple[socket.socket, socket.socket]:
    """The init's end and the kernel's."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.setblocking(False)
    return mine, its


def send_state(sock: socket.socket, header: dict[str, Any], state: bytes) -> None:
    """Sends a message and returns when it was taken; any process that holds the socket may. Raises OSError."""
    message = memoryview(encode_frame(header, (state,)))
    prefix = _PREFIX.pack(os.urandom(8), len(message))
    for at in range(0, len(message), _PACKET_BYTES):
        sock.sendmsg([prefix, message[at : at + _PACKET_BYTES]])


class Saves:
    """The init's end."""

    def __init__(
        self,
        sock: socket.socket,
        selector: selectors.BaseSelector,
        on_state: Callable[[Frame], None],
        on_error: Callable[[FrameError], None],
    ) -> None:
        """`on_error` hears once of a rule that was broken; nothing is read after it."""
        self._sock = sock
        self._selector = selector
        self._on_state = on_state
        self._on_error = on_error
        self._open: dict[bytes, tuple[int, bytearray]] = {}
        self._listening = True
        selector.register(sock, selectors.EVENT_READ, lambda _mask: self.read())

    def read(self) -> None:
        """Handles everything that has arrived."""
        while self._listening:
            try:
                packet = self._sock.recv(_PREFIX.size + _PACKET_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._mute()
                return
            try:
                self._take(packet)
            except FrameError as error:
                self._mute()
                self._on_error(error)

    def close(self) -> None:
        """Forgets the socket."""
        self._mute()
        self._sock.close()

    def _take(self, packet: bytes) -> None:
        if len(packet) <= _PREFIX.size:
            raise FrameError("A packet of a state is empty.")
        name, length = _PREFIX.unpack_from(packet)
        if length > _MAX_MESSAGE_BYTES:
            raise FrameError(f"A state of {length} bytes is larger than {_MAX_MESSAGE_BYTES}.")
        known, data = self._open.setdefault(name, (length, bytearray()))
        data += memoryview(packet)[_PREFIX.size :]
        if known != length or len(data) > length:
            raise FrameError("The packets of a state don't fit.")
        if len(data) == length:
            del self._open[name]
            for frame in FrameReader().feed(bytes(data)):
                self._on_state(frame)
        elif len(self._open) > _MAX_OPEN:
            del self._open[next(iter(self._open))]

    def _mute(self) -> None:
        if self._listening:
            self._listening = False
            self._open = {}
            with contextlib.suppress(KeyError):
                self._selector.unregister(self._sock)
