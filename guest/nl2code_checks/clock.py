"""Where a script reads the clock: what it then writes changes from day to day."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

#: Full names of functions that read the clock, whatever they are given.
ALWAYS: Final = frozenset(
    {f"datetime.datetime.{name}" for name in ("now", "today", "utcnow")}
    | {f"pandas.Timestamp.{name}" for name in ("now", "today", "utcnow")}
    | {"datetime.date.today", "time.time", "time.time_ns", "pandas.Period.now"}
)
#: Those that read it when they get fewer than so many arguments.
FEWER_THAN: Final = {"time.localtime": 1, "time.gmtime": 1, "time.ctime": 1, "time.asctime": 1, "time.strftime": 2}
#: Those that read it for a text such as ``now``.
FOR_TEXT: Final = frozenset({"numpy.datetime64", "pandas.Timestamp", "pandas.to_datetime"})


def clock_reads(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Finds calls that read the clock, by the names that imports bind; line and what is called."""
    names = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (path := _path(node.func, names)) is not None:
            given = len(node.args) + len(node.keywords)
            first = node.args[0] if node.args else None
            told = isinstance(first, ast.Constant) and str(first.value).lower() in ("now", "today")
            if path in ALWAYS or given < FEWER_THAN.get(path, 0) or (path in FOR_TEXT and told):
                yield node.lineno, ast.unparse(node.func)[:60]


def _imported(tree: ast.Module) -> dict[str, str]:
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                names[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _path(node: ast.expr, names: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return None
    return ".".join([names[node.id], *reversed(parts)])
