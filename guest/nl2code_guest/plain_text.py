"""`repr` with an end: a huge container costs what is shown of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_MAX_ITEMS = 200
_MAX_DEPTH = 6
_MAX_STRING = 4000


class _Full(Exception):
    """The budget is used up."""


def plain_text(value: object, most: int) -> str:
    """What `repr(value)` shows, cut to about `most` characters; Python's own containers are not built whole for it."""
    parts: list[str] = []
    writer = _Writer(parts, most)
    try:
        writer.write(value, 0)
    except _Full:
        parts.append("…")
    return "".join(parts)


class _Writer:
    def __init__(self, parts: list[str], left: int) -> None:
        self._parts = parts
        self._left = left
        self._open: set[int] = set()

    def write(self, value: object, depth: int) -> None:
        kind = type(value)
        if kind is str or kind is bytes:
            self._string(value)  # type: ignore[arg-type]
        elif kind in _BRACKETS:
            self._container(value, depth)
        else:
            self._put(repr(value))

    def _string(self, value: str | bytes) -> None:
        most = max(_MAX_STRING, 0) if self._parts else self._left
        self._put(repr(value) if len(value) <= most else f"{value[:most]!r}… ({len(value)} characters)")

    def _container(self, value: Any, depth: int) -> None:
        opening, closing = _BRACKETS[type(value)]
        if not value and type(value) in (set, frozenset):
            self._put(repr(value))
            return
        if id(value) in self._open or depth >= _MAX_DEPTH:
            self._put(f"{opening}…{closing}")
            return
        self._open.add(id(value))
        self._put(opening)
        for number, item in enumerate(_items(value)):
            if number:
                self._put(", ")
            if number == _MAX_ITEMS and len(value) > _MAX_ITEMS + 20:
                self._put(f"… ({len(value)} items)")
                break
            if type(value) is dict:
                self.write(item[0], depth + 1)
                self._put(": ")
                self.write(item[1], depth + 1)
            else:
                self.write(item, depth + 1)
        if type(value) is tuple and len(value) == 1:
            self._put(",")
        self._put(closing)
        self._open.discard(id(value))

    def _put(self, text: str) -> None:
        if len(text) > self._left:
            self._parts.append(text[: self._left])
            raise _Full
        self._left -= len(text)
        self._parts.append(text)


_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}


def _items(value: Any) -> Iterator[Any]:
    items: Iterable[Any] = value.items() if type(value) is dict else value
    return iter(items)
