"""Tracebacks cut down to what the user wrote: cells and workspace files; library frames become one line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from itertools import groupby

_MAX_CAUSES = 3
_MAX_USER_FRAMES = 20
_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_ADVICE = {
    MemoryError: "Out of memory: read only the columns you need, use smaller dtypes, or work in chunks.",
    RecursionError: "A function calls itself without end.",
}


def describe(error: BaseException, workspace: str) -> dict[str, str]:
    """Class, message and trimmed traceback. Calls the error's own `__str__`."""
    trace = traceback.TracebackException.from_exception(error, compact=True)
    lines = list(_chain(trace, os.path.join(os.path.abspath(workspace), "")))
    try:
        message = str(error)
    except Exception:
        message = "(the error's own text can't be shown)"
    advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
    if advice:
        message = f"{message} ({advice})" if message else advice
        lines.append(advice + "\n")
    return {"type": type(error).__name__, "message": message[:20_000], "traceback": "".join(lines)[:100_000]}


def _chain(trace: traceback.TracebackException, workspace: str) -> Iterator[str]:
    links: list[tuple[traceback.TracebackException, str]] = [(trace, "")]
    at = trace
    while len(links) < _MAX_CAUSES:
        if at.__cause__ is not None:
            at, joint = at.__cause__, "\nThe above exception was the direct cause of the following exception:\n\n"
        elif at.__context__ is not None and not at.__suppress_context__:
            at, joint = at.__context__, "\nDuring handling of the above exception, another exception occurred:\n\n"
        else:
            break
        links.append((at, joint))
    for link, joint in reversed(links):
        # The stack of a syntax error is the parser's own, and the error says where.
        yield from _one(link, workspace, short=link is not trace or hasattr(link, "msg"))
        yield joint


def _one(trace: traceback.TracebackException, workspace: str, short: bool) -> Iterator[str]:
    """The lines of one error; `short` leaves out a stack that holds none of the user's lines."""
    if short and not any(_is_users(frame.filename, workspace) for frame in trace.stack):
        yield from trace.format_exception_only()
        return
    frames = [frame for frame in trace.stack if not frame.filename.startswith(_OURS)]
    if frames:
        yield "Traceback (most recent call last):\n"
    shown = 0
    for is_users, group in groupby(frames, lambda frame: _is_users(frame.filename, workspace)):
        run = list(group)
        if not is_users:
            places = dict.fromkeys(_short(frame.filename) for frame in run)
            names = list(places)[-2:]
            yield f"  … {len(run)} line{'s' if len(run) > 1 else ''} inside {', '.join(names)}\n"
            continue
        lines = traceback.StackSummary.from_list(run).format()
        if shown + len(lines) > _MAX_USER_FRAMES:
            keep = max(2, (_MAX_USER_FRAMES - shown) // 2)
            lines = [*lines[:keep], f"  … {len(lines) - 2 * keep} more lines\n", *lines[-keep:]]
        shown += len(lines)
        yield from lines
    yield from trace.format_exception_only()


def _is_users(filename: str, workspace: str) -> bool:
    return filename.startswith(("<cell ", workspace))


def _short(filename: str) -> str:
    """`pandas/core/frame.py` rather than the whole path."""
    if filename.startswith("<"):
        return filename
    roots = [os.path.join(os.path.abspath(entry), "") for entry in sys.path if entry]
    for root in sorted(roots, key=len, reverse=True):
        if filename.startswith(root):
            return filename[len(root) :]
    return os.path.basename(filename)
