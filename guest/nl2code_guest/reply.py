"""A cell's reply as the init gives it to the host and keeps it in the ledger.

What the kernel says is hostile, since user code shares its process: every field is rebuilt from checked parts.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from nl2code_guest.restore_report import RestoreReport
from nl2code_guest.shapes import Shape, checked_shape
from nl2code_guest.texts import WireText, bound, clean

Ended = Literal["ok", "error", "timeout", "interrupted", "kernel-died"]

Saving = Literal["inline", "forked", "none"]

TEXT_TYPES = ("text/plain", "text/html", "text/markdown", "application/json")
IMAGE_TYPES = ("image/png", "image/jpeg")
MAX_DISPLAYS = 40
MAX_DISPLAY_CHARS = 200_000
#: All text of all displays of a cell.
MAX_ALL_DISPLAY_CHARS = 400_000
MAX_IMAGE_BYTES = 2 << 20
MAX_ALL_IMAGE_BYTES = 16 << 20
MAX_MESSAGE_CHARS = 4_000
MAX_TRACEBACK_CHARS = 12_000
MAX_UNSAVED_CHARS = 1_000

_MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


class WireDisplay(TypedDict):
    """One thing shown: text by MIME type, images as indices into the attachments."""

    text: dict[str, WireText]
    images: dict[str, int]
    shape: NotRequired[Shape]


class WireError(TypedDict):
    """Why a cell did not end well."""

    type: str
    message: str
    traceback: str


class WireReply(TypedDict):
    """What one cell did."""

    ended: Ended
    stdout: WireText
    stderr: WireText
    result: WireDisplay | None
    displays: list[WireDisplay]
    error: WireError | None
    ms: float
    #: What its kernel had again, when it is the first cell of a restored one.
    restored: RestoreReport | None
    #: Why what it left is not saved.
    unsaved: str | None


def no_text() -> WireText:
    """An empty text."""
    return {"text": "", "omitted": 0}


def died_reply(message: str) -> WireReply:
    """The reply of a cell whose kernel or sandbox ended under it."""
    return {
        "ended": "kernel-died",
        "stdout": no_text(),
        "stderr": no_text(),
        "result": None,
        "displays": [],
        "error": {"type": "KernelDied", "message": message, "traceback": ""},
        "ms": 0,
        "restored": None,
        "unsaved": None,
    }


class KernelSaid:
    """The checked content of a kernel's `done` message."""

    def __init__(self, header: dict[str, Any], body: bytes) -> None:
        self._given = _split(header.get("attachments"), body)
        self._chars = MAX_ALL_DISPLAY_CHARS
        self._image_bytes = MAX_ALL_IMAGE_BYTES
        self.attachments: list[bytes] = []
        ended = header.get("ended")
        self.ended: Ended = ended if ended in ("error", "interrupted") else "ok"
        #: True when an interrupt reached the cell, even if the cell swallowed it.
        self.interrupted = header.get("interrupted") is True
        result = header.get("result")
        self.result = self._display(result) if isinstance(result, dict) else None
        displays = header.get("displays")
        self.displays = (
            [self._display(shown) for shown in displays[:MAX_DISPLAYS] if isinstance(shown, dict)]
            if isinstance(displays, list)
            else []
        )
        #: How what the cell left is being saved, and why it is not.
        saving = header.get("saving")
        self.saving: Saving = saving if saving in ("inline", "forked") else "none"
        self.unsaved = _unsaved(header.get("unsaved")) if self.saving == "none" else None
        self.error = _error(header.get("error"))
        if self.ended != "ok" and self.error is None:
            self.error = {"type": "Error", "message": "The cell failed and did not say why.", "traceback": ""}

    def _display(self, raw: dict[str, Any]) -> WireDisplay:
        shown: WireDisplay = {"text": {}, "images": {}}
        shape = checked_shape(raw.get("shape"))
        if shape is not None:
            shown["shape"] = shape
        text, images = raw.get("text"), raw.get("images")
        for mime in TEXT_TYPES:
            value = text.get(mime) if isinstance(text, dict) else None
            if isinstance(value, dict) and isinstance(value.get("text"), str):
                omitted = value.get("omitted")
                self._text(shown, mime, value["text"], omitted if type(omitted) is int and omitted > 0 else 0)
        for mime in IMAGE_TYPES:
            index = images.get(mime) if isinstance(images, dict) else None
            if type(index) is int and 0 <= index < len(self._given):
                image = self._given[index]
                if len(image) <= min(MAX_IMAGE_BYTES, self._image_bytes) and image.startswith(_MAGIC[mime]):
                    self._image_bytes -= len(image)
                    shown["images"][mime] = len(self.attachments)
                    self.attachments.append(image)
        return shown

    def _text(self, shown: WireDisplay, mime: str, text: str, omitted: int) -> None:
        most = min(MAX_DISPLAY_CHARS, self._chars)
        if len(text) > most and mime in ("text/html", "application/json"):
            return
        kept = bound(clean(text), most)
        kept["omitted"] += omitted
        self._chars -= len(kept["text"])
        shown["text"][mime] = kept


def _error(raw: object) -> WireError | None:
    if not isinstance(raw, dict):
        return None

    def field(name: str, most: int) -> str:
        value = raw.get(name)
        return bound(clean(value), most)["text"] if isinstance(value, str) else ""

    return {
        "type": field("type", 200),
        "message": field("message", MAX_MESSAGE_CHARS),
        "traceback": field("traceback", MAX_TRACEBACK_CHARS),
    }


def _unsaved(raw: object) -> str:
    said = bound(clean(raw), MAX_UNSAVED_CHARS)["text"] if isinstance(raw, str) else ""
    return said or "What this cell left could not be saved, and the kernel did not say why."


def _split(sizes: object, body: bytes) -> list[bytes]:
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        return []
    parts: list[bytes] = []
    at = 0
    for size in sizes[: 2 * MAX_DISPLAYS]:
        parts.append(body[at : at + size])
        at += size
    return parts if at <= len(body) else []
