"""Text as it leaves the guest: without control characters, within bounds. Runs in the init and in the kernel."""

from __future__ import annotations

import re
from typing import TypedDict

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ESCAPE = re.compile("\x1b(?:\\[[0-9;:<=>?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[@-Z\\\\^_])")
#: The start of an escape sequence whose end may still come.
_OPEN_ESCAPE = re.compile("\x1b(?:\\[[0-9;:<=>?]*[ -/]*|\\][^\x07\x1b]{0,200}\x1b?)?$")
_SEAM = "\n[…]\n"


class WireText(TypedDict):
    """Text and how many characters were left out of its middle."""

    text: str
    omitted: int


def clean(text: str) -> str:
    """Drops terminal escapes and control characters but newline and tab."""
    if not _CONTROL.search(text):
        return text
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def open_escape(text: str) -> int:
    """Where an unfinished escape sequence at the end of `text` starts; its length when there is none."""
    start = text.rfind("\x1b", -256)
    if start < 0:
        return len(text)
    # OSC sequences end with an escape of their own.
    opening = text.rfind("\x1b]", -256)
    for at in (opening, start):
        if at >= 0 and _OPEN_ESCAPE.match(text, at):
            return at
    return len(text)


def bound(text: str, most: int) -> WireText:
    """Head and tail of a text longer than `most` characters."""
    kept = HeadTail(most)
    kept.add(text)
    return kept.get()


class HeadTail:
    """Keeps the first and the last characters of a text that arrives in pieces."""

    def __init__(self, most: int) -> None:
        self._head_chars = (most * 3 + 4) // 5
        self._tail_chars = most - self._head_chars
        self._head: list[str] = []
        self._head_left = self._head_chars
        self._tail = ""
        self._total = 0

    def add(self, text: str) -> None:
        """Takes the next piece."""
        self._total += len(text)
        if self._head_left:
            piece = text[: self._head_left]
            self._head.append(piece)
            self._head_left -= len(piece)
            text = text[len(piece) :]
        if text:
            self._tail += text
            if len(self._tail) > 2 * self._tail_chars + 65536:
                self._tail = self._tail[-self._tail_chars :] if self._tail_chars else ""

    def get(self) -> WireText:
        """The text so far, with a mark where its middle was cut out."""
        omitted = self._total - self._head_chars - self._tail_chars
        if omitted <= 0:
            return {"text": "".join(self._head) + self._tail, "omitted": 0}
        tail = self._tail[-self._tail_chars :] if self._tail_chars else ""
        return {"text": "".join(self._head) + _SEAM + tail, "omitted": omitted}
