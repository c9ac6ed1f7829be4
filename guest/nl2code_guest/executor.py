"""Runs one cell in the kernel's namespace and gathers what it showed."""

from __future__ import annotations

import ast
import linecache
import os
import sys
from types import CodeType
from typing import Any

from nl2code_guest import cell_timer, figures
from nl2code_guest.builtins_for_cells import install_builtins
from nl2code_guest.displays import Shown
from nl2code_guest.habits import translate
from nl2code_guest.interrupt import Guard
from nl2code_guest.namespace import flush_streams
from nl2code_guest.tracebacks import describe

_AWAIT = "A cell can't await at its top level: put the code into `async def main(): …` and call `asyncio.run(main())`."


class Executor:
    """One namespace and the cells that run in it."""

    def __init__(self, namespace: dict[str, Any], workspace: str, guard: Guard) -> None:
        self._namespace = namespace
        self._workspace = workspace
        self._pid = os.getpid()
        self._guard = guard
        self._shown = Shown(guard, 0)
        install_builtins(lambda value: self._shown.add(value))
        figures.install(lambda figure: self._shown.add(figure))

    def run(self, k: int, code: str, max_chars: int) -> tuple[dict[str, Any], list[bytes]]:
        """Runs a cell; whatever it raises is in what is returned."""
        name = f"<cell {k}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        self._shown = Shown(self._guard, max_chars)
        self._guard.arm()
        done: dict[str, Any] = {"ended": "ok", "error": None}
        try:
            body, last = _compile(code, name)
            self._guard.call(self._execute, body, last)
        except SystemExit as error:
            self._on_exit(error, done)
        except BaseException as error:
            done["ended"] = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
            done["error"] = self._describe(error)
        if os.getpid() != self._pid:
            # A child that the cell forked; the kernel is its parent.
            flush_streams()
            os._exit(0 if done["error"] is None else 1)
        try:
            self._guard.call(self._settle)
        except BaseException as error:
            if done["error"] is None:
                done["ended"] = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
                done["error"] = self._describe(error)
        done["interrupted"] = self._guard.fired
        done["result"], done["displays"] = self._shown.result, self._shown.displays
        done["attachments"] = [len(image) for image in self._shown.images]
        return done, self._shown.images

    def _settle(self) -> None:
        cell_timer.stop()
        self._shown.add_open_figures()
        flush_streams()

    def _execute(self, body: CodeType | None, last: CodeType | None) -> None:
        if body is not None:
            exec(body, self._namespace)
        if last is not None:
            self._shown.set_result(eval(last, self._namespace))

    def _describe(self, error: BaseException) -> dict[str, str]:
        try:
            described = self._guard.call(describe, error, self._workspace)
        except BaseException:
            return {"type": type(error).__name__, "message": "(the error can't be shown)", "traceback": ""}
        if isinstance(error, SyntaxError) and _is_await(str(error.msg)):
            described["message"] = described["traceback"] = _AWAIT
        return described

    def _on_exit(self, error: SystemExit, done: dict[str, Any]) -> None:
        if os.getpid() != self._pid:
            flush_streams()
            os._exit(error.code if isinstance(error.code, int) else int(error.code is not None))
        if error.code in (None, 0):
            print("The cell ended here by exit; the kernel and its variables go on.", file=sys.stderr)
            return
        done["ended"] = "error"
        message = f"The cell ended here by exit with {error.code!r:.200}; the kernel and its variables go on."
        done["error"] = {"type": "SystemExit", "message": message, "traceback": message}


def _is_await(message: str) -> bool:
    return "'await' outside" in message or ("asynchronous" in message and "outside" in message)


def _compile(code: str, name: str) -> tuple[CodeType | None, CodeType | None]:
    """The statements of a cell and the last expression to echo."""
    tree, source = translate(code, name)
    last: CodeType | None = None
    if tree.body and isinstance(final := tree.body[-1], ast.Expr) and not _is_muted(source, final):
        tree.body.pop()
        last = compile(ast.Expression(final.value), name, "eval", dont_inherit=True)
    body = compile(tree, name, "exec", dont_inherit=True) if tree.body else None
    return body, last


def _is_muted(source: str, final: ast.Expr) -> bool:
    """Whether a semicolon follows the last expression."""
    lines = source.splitlines()
    at = (final.end_lineno or 1) - 1
    if at >= len(lines):
        return False
    return lines[at].encode()[final.end_col_offset or 0 :].lstrip().startswith(b";")
