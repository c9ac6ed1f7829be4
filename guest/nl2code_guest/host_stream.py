"""One stream to the host: checked messages in, frames out."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from typing import Any

from nl2code_guest.frames import Frame, FrameError
from nl2code_guest.host_messages import HostMessage, parse_host_message
from nl2code_guest.wire import Wire


class HostStream:
    """A stream that the supervisor handed over."""

    def __init__(
        self,
        sock: socket.socket,
        selector: selectors.BaseSelector,
        on_message: Callable[[HostStream, HostMessage], None],
        on_end: Callable[[HostStream], None],
    ) -> None:
        self._on_message = on_message
        self._on_end = on_end
        # Nothing the host says has a body.
        self._wire = Wire(sock, selector, self._on_frame, self._on_wire_end, max_body=0)

    def send(self, header: dict[str, Any]) -> None:
        """Sends a message without attachments."""
        self._wire.send(header)

    def send_bytes(self, frame: bytes) -> None:
        """Sends an encoded frame."""
        self._wire.send_bytes(frame)

    def close(self) -> None:
        """Ends the stream; the host sees its end."""
        self._wire.close()

    def _on_frame(self, frame: Frame) -> None:
        self._on_message(self, parse_host_message(frame.header))

    def _on_wire_end(self, error: FrameError | None) -> None:
        if error:
            self.send({"type": "refused", "k": -1, "code": "protocol", "head": -1, "message": str(error)})
        self._on_end(self)
