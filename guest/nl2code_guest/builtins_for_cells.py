"""Builtins that behave otherwise in a cell: `display`, `input`, `exit`, `quit`."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, NoReturn


def install_builtins(show: Callable[[Any], None]) -> None:
    """Puts them in place; `show` takes what is displayed."""

    def display(*values: object, **_options: object) -> None:
        """Shows values as a notebook does."""
        for value in values:
            show(value)

    def ask(prompt: object = "", /) -> NoReturn:
        """Fails: nobody is there to answer."""
        raise EOFError(f"input({str(prompt)[:80]!r}) can't be answered here: put the value into the code instead.")

    def leave(code: object = None, /) -> NoReturn:
        """Ends the cell, not the kernel."""
        raise SystemExit(code)

    target: Any = builtins
    target.display, target.input, target.exit, target.quit = display, ask, leave, leave
