"""Reads what a failed script printed to stderr: the error, and the script's own lines of the traceback."""

from __future__ import annotations

import re
from typing import Final, TypedDict

FRAME: Final = re.compile(r'^ *File "([^"\n]*)", line (\d+)')
LAST_LINES: Final = 12
MAX_CHARS: Final = 3000


class Failure(TypedDict):
    """How a run failed. ``line`` is the script's line that led to it, 0 when none is known."""

    message: str
    traceback: str
    line: int


def read_failure(stderr: str, script: str) -> Failure:
    """Cuts a traceback down to the script's frames.

    Args:
        stderr: What the run printed to stderr.
        script: File name of the script.

    Returns:
        The last line that says what went wrong, the trimmed text, and the line.
    """
    start = stderr.rfind("Traceback (most recent call last):")
    if start < 0:
        lines = [line for line in stderr.strip().splitlines() if line.strip()]
        return Failure(
            message=_cut(lines[-1].strip() if lines else "", 400),
            traceback=_cut("\n".join(lines[-LAST_LINES:]), MAX_CHARS),
            line=0,
        )
    kept: list[str] = []
    last: list[str] = []
    line, frame = 0, ""
    for text in stderr[start:].splitlines():
        found = FRAME.match(text)
        if found:
            frame = found[1]
            if _is_script(frame, script):
                line = int(found[2])
        if not text.startswith(" "):
            frame = ""
        if frame == "" or _is_script(frame, script):
            kept.append(text)
        if frame == "" and not text.startswith("Traceback"):
            last.append(text)
    message = next((text.strip() for text in last if text.strip()), "")
    return Failure(message=_cut(message, 400), traceback=_cut("\n".join(kept), MAX_CHARS), line=line)


def _is_script(frame: str, script: str) -> bool:
    return frame == script or frame.endswith(f"/{script}")


def _cut(text: str, chars: int) -> str:
    if len(text) <= chars:
        return text
    head = chars // 3
    return f"{text[:head]}\n[…]\n{text[head - chars :]}"
