"""What a cell shows: its result, what it displays, its figures.

Everything here runs user code and is bounded in time and size.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from nl2code_guest import figures
from nl2code_guest.interrupt import Guard
from nl2code_guest.plain_text import plain_text
from nl2code_guest.reply import (
    IMAGE_TYPES,
    MAX_ALL_IMAGE_BYTES,
    MAX_DISPLAY_CHARS,
    MAX_DISPLAYS,
    MAX_IMAGE_BYTES,
    TEXT_TYPES,
    WireDisplay,
)
from nl2code_guest.shapes import shape_of
from nl2code_guest.tables import is_table, table_texts
from nl2code_guest.texts import bound
from nl2code_guest.time_limit import TooSlow, within

#: One object may take this long to show itself; drawing a figure takes longer.
SHOW_SECONDS = 5.0
FIGURE_SECONDS = 20.0

_METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "application/json": "_repr_json_",
    "image/png": "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
}

#: The text of a very large number takes long.
_QUICK_INT = 1 << 64

Bundle = dict[str, Any]


class Shown:
    """What one cell has shown so far."""

    def __init__(self, guard: Guard, max_chars: int) -> None:
        self._guard = guard
        self._max_chars = max_chars
        self._image_bytes = 0
        self.result: WireDisplay | None = None
        self.displays: list[WireDisplay] = []
        self.images: list[bytes] = []

    def add(self, value: object) -> None:
        """Shows a value now; a figure is closed after it."""
        if len(self.displays) == MAX_DISPLAYS - 1:
            self.displays.append(_note(f"Only the first {MAX_DISPLAYS - 1} displays of a cell are shown."))
        elif len(self.displays) < MAX_DISPLAYS:
            self.displays.append(self._show(value))
        if figures.is_figure(value):
            figures.close(value)

    def set_result(self, value: object) -> None:
        """Shows the value of the cell's last expression."""
        if value is not None:
            self.result = self._show(value)
            if figures.is_figure(value):
                figures.close(value)

    def add_open_figures(self) -> None:
        """Shows and closes the figures the cell left open."""
        for figure in figures.open_figures():
            self.add(figure)

    def _show(self, value: object) -> WireDisplay:
        shown = self._shown(value)
        try:
            shown["shape"] = shape_of(value)
        except Exception:
            # A table that is broken inside has shown itself as such.
            shown["shape"] = {"type": type(value).__name__[:100]}
        return shown

    def _shown(self, value: object) -> WireDisplay:
        if _is_quick(value):
            return self._to_wire({"text/plain": repr(value)})
        seconds = FIGURE_SECONDS if figures.is_figure(value) else SHOW_SECONDS
        try:
            bundle = within(seconds, _bundle, value, self._max_chars)
        except TooSlow:
            return _note(f"<{type(value).__name__} took longer than {seconds:g} s to show itself>")
        except Exception as error:
            return _note(f"<{type(value).__name__} can't be shown: {type(error).__name__}: {_message(error)}>")
        return self._to_wire(bundle)

    def _to_wire(self, bundle: Bundle) -> WireDisplay:
        shown: WireDisplay = {"text": {}, "images": {}}
        for mime in TEXT_TYPES:
            text = bundle.get(mime)
            if mime == "application/json" and text is not None and not isinstance(text, str):
                text = json.dumps(text, ensure_ascii=False, default=repr)
            if not isinstance(text, str):
                continue
            if mime in ("text/plain", "text/markdown"):
                shown["text"][mime] = bound(text, self._max_chars)
            elif len(text) <= MAX_DISPLAY_CHARS:
                # Half of these formats would be broken; the plain text stands for the rest.
                shown["text"][mime] = {"text": text, "omitted": 0}
        for mime in IMAGE_TYPES:
            image = bundle.get(mime)
            if isinstance(image, str):
                image = base64.b64decode(image)
            if isinstance(image, bytes) and len(image) <= MAX_IMAGE_BYTES:
                self._add_image(shown, mime, image)
        return shown

    def _add_image(self, shown: WireDisplay, mime: str, image: bytes) -> None:
        self._image_bytes += len(image)
        if self._image_bytes <= MAX_ALL_IMAGE_BYTES:
            shown["images"][mime] = len(self.images)
            self.images.append(image)


def _is_quick(value: object) -> bool:
    """Whether `repr` shows it without code of the user's and at once, so that no clock need be set."""
    kind = type(value)
    return kind is bool or kind is float or (kind is int and -_QUICK_INT < value < _QUICK_INT)  # type: ignore[operator]


def _bundle(value: object, max_chars: int) -> Bundle:
    """Forms of `value` by MIME type; only those of the allow-list are used."""
    if figures.is_figure(value):
        png = figures.figure_png(value)
        return {"text/plain": repr(value)} | ({"image/png": png} if png else {})
    if is_table(value):
        return dict(table_texts(value))
    bundle: Bundle = {}
    if not isinstance(value, type):
        bundle.update(_from_mimebundle(getattr(value, "_repr_mimebundle_", None)))
        for mime, method in _METHODS.items():
            form = getattr(value, method, None)
            if mime not in bundle and callable(form):
                bundle[mime] = _data(form())
    bundle.setdefault("text/plain", plain_text(value, 4 * max_chars + 1000))
    return bundle


def _from_mimebundle(method: Callable[..., Any] | None) -> Bundle:
    made = _data(method(include=None, exclude=None)) if callable(method) else None
    return {mime: made[mime] for mime in (*TEXT_TYPES, *IMAGE_TYPES) if mime in made} if isinstance(made, dict) else {}


def _data(made: Any) -> Any:
    """The data of what may be a pair of data and metadata."""
    return made[0] if isinstance(made, tuple) and len(made) == 2 else made


def _note(text: str) -> WireDisplay:
    return {"text": {"text/plain": {"text": text, "omitted": 0}}, "images": {}}


def _message(error: BaseException) -> str:
    try:
        return str(error)[:500]
    except Exception:
        return "?"
