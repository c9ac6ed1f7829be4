"""Reads a process's output streams without ever standing still, and keeps head and tail."""

from __future__ import annotations

import os
from typing import TypedDict


class Text(TypedDict):
    """Text with its middle cut out; ``omitted`` counts what is missing."""

    text: str
    omitted: int


class Capture:
    """Keeps the first and the last part of a stream of bytes."""

    def __init__(self, limit: int) -> None:
        """Keeps at most ``limit`` bytes."""
        self._half = limit // 2
        self._head = b""
        self._tail = b""
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Takes the next bytes."""
        room = self._half - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[room:] if room > 0 else data
        # Cut only now and then: cutting on every write would copy the tail each time.
        if len(self._tail) > 4 * self._half:
            self._trim()

    def drain(self, descriptor: int) -> bool:
        """Reads what stands ready in a non-blocking descriptor; False at the end of the stream."""
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return True
        self.feed(data)
        return bool(data)

    def text(self) -> Text:
        """Returns what was kept, decoded, and how many bytes were not."""
        self._trim()
        head = self._head.decode("utf-8", "replace")
        return Text(text=head + self._tail.decode("utf-8", "replace"), omitted=self._dropped)

    def _trim(self) -> None:
        extra = len(self._tail) - self._half
        if extra > 0:
            self._dropped += extra
            self._tail = self._tail[extra:]
