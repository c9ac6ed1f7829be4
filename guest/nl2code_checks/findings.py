"""The shape of what a check found, as the host reads it."""

from __future__ import annotations

from typing import TypedDict

MESSAGE_CHARS = 600


class Finding(TypedDict, total=False):
    """One thing that is wrong. ``code`` and ``message`` are always there; where no remedy is, the host has one."""

    code: str
    message: str
    line: int
    path: str
    remedy: str


def shown(value: object, chars: int = 60) -> str:
    """Returns ``repr(value)`` without control characters, cut to ``chars``."""
    text = repr(value)
    return text if len(text) <= chars else text[: chars - 1] + "…"
