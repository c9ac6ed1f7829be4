"""Bridged tools, the sandbox's half: code in a cell calls a function of the host by name and waits for its answer.

The bridge numbers the calls of a cell from 0; the host keeps each answer under (cell, call), so that a cell that runs
again asks the same questions and gets the same answers. Owned by the kernel, which gives it the way to the host
(`install`) and tells it where a cell begins and ends. Invariants: (1) one call at a time, whoever makes it; (2) what is
sent is JSON within the bounds below; (3) nothing is sent outside of a cell, nor by a process that a cell has forked.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from nl2code_guest.bridge_arguments import plain_arguments

#: What is said wherever no cell is around.
OUTSIDE = (
    "nl2code.tools works only in a cell of a session, not in a process of its own: a script has to bring what it needs "
    "as a constant, an argument or an input file, and a process that a cell starts has to be given it."
)
_NO_CELL = "nl2code.tools was called while no cell runs: a thread can call a tool only as long as its cell runs."


class ToolError(RuntimeError):
    """The tool said no, or could not be called; the message says why."""

    __module__ = "nl2code"


class NonDeterministicReplay(RuntimeError):
    """The cell ran before and now makes another call in the place of one that was made; the message names both."""

    __module__ = "nl2code"


class Uncertain(RuntimeError):
    """Whether the call took effect is not known; the message says what to do."""

    __module__ = "nl2code"


_ERRORS: dict[str, type[RuntimeError]] = {
    "NonDeterministicReplay": NonDeterministicReplay,
    "Uncertain": Uncertain,
}


class ToolCall(NamedTuple):
    """One question to the host."""

    k: int
    #: Number of the call in its cell, from 0.
    call: int
    name: str
    #: A JSON object.
    args: dict[str, Any]
    #: Only a recorded answer may be given: the cell is run to compute a variable again.
    replay: bool


class ToolResult(NamedTuple):
    """The host's answer."""

    ok: bool
    value: Any = None
    #: Of an error: its class and its sentence.
    type: str = ""
    message: str = ""


Transport = Callable[[ToolCall], ToolResult]
"""Asks the host and waits for the answer. Called by any thread, by one at a time."""


class _Cell:
    """The cell that runs. A thread that outlives it holds no lock of the next one."""

    def __init__(self, k: int, replay: bool) -> None:
        self.k = k
        self.replay = replay
        self.calls = 0
        self.turn = threading.Lock()


_transport: Transport | None = None
_owner = 0
_cell: _Cell | None = None


def install(transport: Transport) -> None:
    """Gives this process, and no child of it, the way to the host."""
    global _transport, _owner, _cell
    _transport, _owner, _cell = transport, os.getpid(), None


def begin(k: int, replay: bool = False) -> None:
    """Cell `k` begins; with `replay` it may only be told what it was told before."""
    global _cell
    _cell = _Cell(k, replay)


def end() -> int:
    """The cell has ended. Returns how many calls it made."""
    global _cell
    ended, _cell = _cell, None
    return ended.calls if ended else 0


def call(name: str, arguments: dict[str, Any]) -> Any:
    """Calls a tool and returns its answer.

    Raises:
        TypeError: An argument is no JSON; the message names it.
        ToolError, NonDeterministicReplay, Uncertain: What the host says instead of an answer.
        RuntimeError: There is no cell around.
    """
    if not isinstance(name, str):
        raise TypeError(f"The name of a tool is a text, not a {type(name).__name__}.")
    result = _ask(name, plain_arguments(name, arguments))
    if result.ok:
        return result.value
    raise _ERRORS.get(result.type, ToolError)(result.message)


def installed_here() -> bool:
    """Whether this process has the way to the host."""
    return _transport is not None and _owner == os.getpid()


def ask(name: str, args: dict[str, Any]) -> ToolResult:
    """Asks in the name of a program that a cell waits for; what can't be asked comes back as an error."""
    try:
        return _ask(name, plain_arguments(name, args))
    except (RuntimeError, TypeError) as error:
        return ToolResult(ok=False, type="ToolError", message=str(error))


def _ask(name: str, args: dict[str, Any]) -> ToolResult:
    if not installed_here():
        from nl2code_guest import program_bridge

        return program_bridge.ask(name, args)
    cell = _cell
    if cell is None:
        raise RuntimeError(_NO_CELL)
    with cell.turn:
        # It may have ended while another thread had its turn.
        if cell is not _cell:
            raise RuntimeError(_NO_CELL)
        number = cell.calls
        cell.calls += 1
        assert _transport is not None
        return _transport(ToolCall(cell.k, number, name, args, cell.replay))
