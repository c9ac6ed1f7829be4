"""What a running cell writes: bounded for its reply, framed for the host that watches.

Owned by the init while the cell runs. The frames are kept, so that a host that attaches sees them from the first.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import Literal

from nl2code_guest.frames import encode_frame
from nl2code_guest.texts import HeadTail, WireText, clean, open_escape

Stream = Literal["stdout", "stderr"]

#: Live frames of one cell stop here; draining goes on. A frame counts its text and its envelope.
MAX_LIVE_CHARS = 1 << 20
_ENVELOPE_CHARS = 96
#: A cell that writes more is interrupted.
MAX_OUTPUT_BYTES = 64 << 20


class CellOutput:
    """Both streams of one cell."""

    def __init__(self, k: int, most: int) -> None:
        self._k = k
        self._texts = {"stdout": _Text(most), "stderr": _Text(most)}
        self._live_left = MAX_LIVE_CHARS
        self._bytes_left = MAX_OUTPUT_BYTES
        #: Encoded `out` frames, in order of their `seq`.
        self.frames: list[bytes] = []

    @property
    def too_much(self) -> bool:
        """Whether the cell has written more than it may."""
        return self._bytes_left < 0

    def take(self, stream: Stream, data: bytes, send: Callable[[bytes], None]) -> None:
        """Takes what was read from a pipe; `send` gets the live frame if there is one."""
        self._bytes_left -= len(data)
        self._show(stream, self._texts[stream].take(data), send)

    def end(self, send: Callable[[bytes], None]) -> tuple[WireText, WireText]:
        """Takes what was held back at a border and returns stdout and stderr."""
        for stream in ("stdout", "stderr"):
            self._show(stream, self._texts[stream].end(), send)
        return self._texts["stdout"].kept.get(), self._texts["stderr"].kept.get()

    def _show(self, stream: Stream, text: str, send: Callable[[bytes], None]) -> None:
        if not text or self._live_left <= 0:
            return
        text = text[: self._live_left]
        self._live_left -= len(text) + _ENVELOPE_CHARS
        frame = encode_frame({"type": "out", "k": self._k, "seq": len(self.frames), "stream": stream, "text": text})
        self.frames.append(frame)
        send(frame)


class _Text:
    """One stream: bytes in, clean text out, whole characters and whole escape sequences only."""

    def __init__(self, most: int) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.kept = HeadTail(most)

    def take(self, data: bytes) -> str:
        text = self._held + self._decoder.decode(data)
        border = open_escape(text)
        self._held = text[border:]
        return self._keep(text[:border])

    def end(self) -> str:
        text = self._held + self._decoder.decode(b"", True)
        self._held = ""
        return self._keep(text)

    def _keep(self, text: str) -> str:
        shown = clean(text)
        self.kept.add(shown)
        return shown
