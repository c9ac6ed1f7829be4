"""Which names a cell may have touched, told from code alone: nothing is traced while the cell runs.

A cell touches the names in its own code, and whatever the functions behind those names touch in turn. What a variable
reaches was noted when it was saved (`needs`, `mentions`), so the closure costs nothing but look-ups. Where code can
get at variables without naming them (`exec`, `globals`, frames, another thread), it may have touched everything.
"""

from __future__ import annotations

import ast
import dis
import functools
import re
import sys
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Final

from nl2code_guest.habits import translate

#: Stands among names for all of them.
EVERYTHING: Final = "*"

_CALLS = frozenset(("exec", "eval", "globals", "locals", "vars", "breakpoint"))
_MODULES = frozenset(("__main__", "__builtins__", "builtins", "ctypes", "gc", "inspect", "pdb", "runpy"))
_ATTRIBUTES = frozenset(
    (
        "_current_frames",
        "_getframe",
        "_getframemodulename",
        "__globals__",
        "f_back",
        "f_globals",
        "f_locals",
        "tb_frame",
        "gi_frame",
        "import_module",
        "cr_frame",
        "ag_frame",
        "modules",
        "settrace",
        "setprofile",
    )
)
_DANGEROUS = _CALLS | _MODULES
_LOAD_GLOBAL = dis.opmap["LOAD_GLOBAL"]
_GLOBAL = frozenset(
    number
    for name, number in dis.opmap.items()
    if name
    in (
        "LOAD_NAME",
        "STORE_NAME",
        "DELETE_NAME",
        "LOAD_GLOBAL",
        "STORE_GLOBAL",
        "DELETE_GLOBAL",
        "LOAD_FROM_DICT_OR_GLOBALS",
        "IMPORT_NAME",
    )
)
_EXTENDED = dis.EXTENDED_ARG
#: Text that libraries evaluate in the caller's frame: `y ~ f(x)`, `price > @limit`.
_FORMULA = re.compile(r"@(\w+)|\b([A-Za-z_]\w*)\(")
_MAX_FORMULA_CHARS = 2_000
_frames = sys._current_frames


@functools.lru_cache(maxsize=4096)
def names_in(code: CodeType) -> frozenset[str]:
    """Global names that this code and the code inside it use; EVERYTHING among them when it may use any."""
    found: set[str] = set()
    waiting = [code]
    main = False
    while waiting:
        part = waiting.pop()
        _add_names(part, found)
        main = main or "__main__" in part.co_consts
        for constant in part.co_consts:
            if isinstance(constant, CodeType):
                waiting.append(constant)
            elif type(constant) is str and len(constant) <= _MAX_FORMULA_CHARS:
                for match in _FORMULA.finditer(constant):
                    found.add(match[1] or match[2])
        if not _ATTRIBUTES.isdisjoint(part.co_names):
            found.add(EVERYTHING)
    if not _DANGEROUS.isdisjoint(found) or (main and "__import__" in found):
        found.add(EVERYTHING)
    return frozenset(found)


def names_in_cell(code: str, name: str) -> frozenset[str]:
    """The same of a cell's source. A cell that is no Python has not run, so it touches nothing."""
    try:
        tree, _source = translate(code, name)
        return names_in(compile(tree, name, "exec", dont_inherit=True))
    except (SyntaxError, ValueError):
        return frozenset()
    except (RecursionError, MemoryError):
        return frozenset((EVERYTHING,))


def names_read_in_cell(code: str, name: str) -> frozenset[str]:
    """The names that a cell's own source reads before it has bound them; rather too many than too few."""
    try:
        tree, _source = translate(code, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    read: set[str] = set()
    _add_read(tree.body, set(), read)
    return frozenset(read)


def assignment_in_cell(code: str, name: str, variable: str) -> str | None:
    """The source of the last top-level statement of a cell that binds `variable`; None when it shows none."""
    try:
        tree, source = translate(code, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for statement in reversed(tree.body):
        if variable in _bound_by(statement):
            return ast.get_source_segment(source, statement)
    return None


def closure(names: Iterable[str], reach: Callable[[str], Iterable[str]]) -> set[str]:
    """`names` and all they lead to; `reach` tells where one name leads. Stops early at EVERYTHING."""
    found = set(names)
    waiting = list(found)
    while waiting and EVERYTHING not in found:
        for name in reach(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def has_foreign_threads() -> bool:
    """Whether another thread than this one runs Python code here."""
    return len(_frames()) > 1


def _add_names(code: CodeType, found: set[str]) -> None:
    names = code.co_names
    raw = code.co_code
    high = 0
    for at in range(0, len(raw), 2):
        op = raw[at]
        if op == _EXTENDED:
            high = (high | raw[at + 1]) << 8
            continue
        if op in _GLOBAL:
            argument = high | raw[at + 1]
            found.add(names[argument >> 1 if op == _LOAD_GLOBAL else argument])
        high = 0


def _add_read(statements: Iterable[ast.stmt], bound: set[str], read: set[str]) -> None:
    """Follows statements in their order; only what is bound whatever happens counts as bound."""
    for statement in statements:
        if isinstance(statement, ast.With):
            for item in statement.items:
                _add_used(item.context_expr, bound, read)
                if item.optional_vars is not None:
                    bound |= _bound_by(item.optional_vars)
            _add_read(statement.body, bound, read)
            continue
        if isinstance(statement, ast.Assign):
            _add_used(statement.value, bound, read)
            for target in statement.targets:
                _add_used(target, bound, read)
        else:
            _add_used(statement, bound, read)
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.ClassDef | ast.Import):
            bound |= _bound_by(statement)


def _add_used(part: ast.AST, bound: set[str], read: set[str]) -> None:
    for node in ast.walk(part):
        if isinstance(node, ast.Name) and (not isinstance(node.ctx, ast.Store) or isinstance(part, ast.AugAssign)):
            read |= {node.id} - bound


def _bound_by(statement: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
    return found
