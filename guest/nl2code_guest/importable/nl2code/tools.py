"""Functions of the host, by name: `nl2code.tools.NAME(argument=value)`. Arguments and answers are JSON.

Every other public name of this module would hide a tool of that name.
"""

# Without `from __future__ import annotations`, whose name would be one of them.
from dataclasses import dataclass as _dataclass
from typing import Any as _Any

from nl2code_guest import bridge as _bridge


def call(name: str, /, **arguments: _Any) -> _Any:
    """Calls the tool of this name.

    Raises:
        TypeError: An argument is no JSON.
        nl2code.ToolError: The tool failed, there is none of this name, or it does not take these arguments.
        nl2code.NonDeterministicReplay: The cell runs again, and this is not the call it made here before.
        nl2code.Uncertain: Whether the call took effect is not known.
    """
    return _bridge.call(name, arguments)


def list() -> _Any:
    """The tools that may be called: a list of dicts with name, description and parameters (a JSON schema)."""
    return _bridge.call("list", {})


@_dataclass(frozen=True)
class BridgedTool:
    """One tool, to be called with its arguments by name."""

    name: str

    def __call__(self, *unnamed: object, **arguments: _Any) -> _Any:
        """Calls it; see `call`."""
        if unnamed:
            raise TypeError(f"nl2code.tools.{self.name} takes its arguments by name, such as {self.name}(key=value).")
        return _bridge.call(self.name, arguments)


def __getattr__(name: str) -> BridgedTool:
    if name.startswith("_"):
        raise AttributeError(f"module 'nl2code.tools' has no attribute {name!r}")
    return BridgedTool(name)
