"""Notebook habits that are not Python: `%magic`, `%%magic` and `!command` lines become calls, line for line.

A line is only touched where Python itself has refused it, so strings and continuation lines stay as they are.
"""

from __future__ import annotations

import ast
import re

_CALL = "__import__('nl2code_guest.magics', fromlist=['{name}']).{name}({args})"
_LINE = re.compile(r"^(\s*)(?:([A-Za-z_][\w.]*(?:\s*,\s*[A-Za-z_]\w*)*)\s*=\s*)?([%!])(.*)$", re.DOTALL)
_CELL = re.compile(r"^%%(\w+)[ \t]*([^\n]*)(?:\n|$)")
_MAX_HABITS = 200


def translate(code: str, name: str) -> tuple[ast.Module, str]:
    """Parses a cell, its habits translated; the source that was parsed comes with the tree.

    Raises:
        SyntaxError: the cell is not Python.
    """
    found = _CELL.match(code.lstrip("\n"))
    skipped = len(code) - len(code.lstrip("\n"))
    if found:
        body = code.lstrip("\n")[found.end() :]
        if found[1] in ("time", "timeit"):
            return _timed(code, skipped, found[1], body, name)
        if found[1] not in ("capture",):
            call = _call("cell_magic", found[1], found[2].strip(), body)
            return ast.parse("\n" * skipped + call, name), ""
        code = "\n" * (skipped + 1) + body
    return _translate_lines(code, name)


def _timed(code: str, skipped: int, magic: str, body: str, name: str) -> tuple[ast.Module, str]:
    tree, source = _translate_lines("\n" * (skipped + 1) + body, name)
    if magic == "timeit":
        tree.body.insert(0, ast.parse(_call("note_timeit"), name).body[0])
    tree.body.insert(0, ast.parse(_call("start_time"), name).body[0])
    return tree, source


def _translate_lines(code: str, name: str) -> tuple[ast.Module, str]:
    lines = code.split("\n")
    for _ in range(_MAX_HABITS):
        try:
            return ast.parse("\n".join(lines), name), "\n".join(lines)
        except SyntaxError as error:
            at = (error.lineno or 0) - 1
            if not 0 <= at < len(lines) or not (found := _LINE.match(lines[at])):
                raise
            indent, target, sign, rest = found.groups()
            if sign == "%" and target is None and rest.startswith("%"):
                raise
            lines[at] = indent + _line(target, sign, rest)
    return ast.parse("\n".join(lines), name), "\n".join(lines)


def _line(target: str | None, sign: str, rest: str) -> str:
    if sign == "!":
        call = _call("shell_lines" if target else "shell", rest.lstrip("!"))
        return f"{target} = {call}" if target else f"{call};"
    magic, _, argument = rest.strip().partition(" ")
    if magic == "time" and argument.strip():
        return f"with {_call('timing')}: {target + ' = ' if target else ''}{argument.strip()}"
    call = _call("line_magic", magic, argument.strip())
    return f"{target} = {call}" if target else f"{call};"


def _call(name: str, *args: str) -> str:
    return _CALL.format(name=name, args=", ".join(map(repr, args)))
