"""The streams to the host: any number may be open, the newest that said `hello` is spoken to."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable
from typing import Any

from nl2code_guest.host_messages import HostMessage
from nl2code_guest.host_stream import HostStream

_MAX_SILENT = 8


class HostStreams:
    """The streams that the supervisor handed over."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        on_message: Callable[[HostStream, HostMessage], None],
        on_gone: Callable[[], None],
    ) -> None:
        """`on_gone` hears when the current stream has ended or another one took its place."""
        self._selector = selector
        self._on_message = on_message
        self._on_gone = on_gone
        self._open: list[HostStream] = []
        self.current: HostStream | None = None
        #: Whether the current stream asked for the cell that runs or waits.
        self.watching = False

    def open(self, fd: int) -> None:
        """Takes a stream."""
        try:
            sock = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            return
        self._open.append(HostStream(sock, self._selector, self._on_message, self._on_end))
        silent = [stream for stream in self._open if stream is not self.current]
        if len(silent) > _MAX_SILENT:
            self.drop(silent[0])

    def drop(self, stream: HostStream) -> None:
        """Ends a stream."""
        stream.close()
        self._on_end(stream)

    def take_over(self, stream: HostStream) -> None:
        """Makes a stream the current one and ends the one before it."""
        if self.current and self.current is not stream:
            self.drop(self.current)
        elif self.current is stream:
            self._leave()
        self.current = stream

    def tell(self, header: dict[str, Any]) -> None:
        """Sends a message to the current stream, if there is one."""
        if self.current:
            self.current.send(header)

    def to_watcher(self, frame: bytes) -> None:
        """Sends an encoded frame to the current stream, if it asked for the cell."""
        if self.current and self.watching:
            self.current.send_bytes(frame)

    def _on_end(self, stream: HostStream) -> None:
        if stream in self._open:
            self._open.remove(stream)
        if stream is self.current:
            self.current = None
            self._leave()

    def _leave(self) -> None:
        self.watching = False
        self._on_gone()
