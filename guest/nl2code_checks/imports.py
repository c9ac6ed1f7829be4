"""What the imports of a script bind, looked up in the real libraries."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from nl2code_checks import callables
from nl2code_checks.callables import MISSING, Unknown
from nl2code_checks.findings import Finding

_NAMED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar
Chain = list[tuple[str, Any]]


class Imports:
    """Objects by the names that imports, and nothing else, bind."""

    def __init__(self, bound: dict[str, Any], shown: dict[str, str], findings: list[Finding]) -> None:
        self._bound = bound
        self._shown = shown
        self.findings = findings

    def leads(self, node: ast.expr) -> bool:
        """Whether this is a chain of attributes that starts at an import."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self._bound

    def chain(self, node: ast.expr) -> Chain:
        """Names and objects along a chain, up to the first that is ``MISSING``.

        Raises:
            Unknown: An object on the way can't be asked.
        """
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            raise Unknown
        held = self._bound[node.id]
        found: Chain = [(self._shown[node.id], held)]
        for name in reversed(names):
            if held is MISSING:
                raise Unknown
            held = callables.member(held, name)
            found.append((name, held))
        return found


def read_imports(tree: ast.Module) -> Imports:
    """Reads all imports of a script; a name that is bound in another way too is left out."""
    bound: dict[str, Any] = {}
    shown: dict[str, str] = {}
    findings: list[Finding] = []
    others = set(_other_names(tree))
    optional = _optional(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, path, target in _targets(node, findings, node in optional):
                if name in others or (name in bound and bound[name] is not target):
                    bound.pop(name, None)
                    others.add(name)
                elif target is not MISSING:
                    bound[name], shown[name] = target, path
    return Imports(bound, shown, findings)


def _targets(
    node: ast.Import | ast.ImportFrom, findings: list[Finding], optional: bool
) -> Iterator[tuple[str, str, Any]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            target = _module(node, alias.name, findings, optional)
            if target is None:
                continue
            root = alias.name.partition(".")[0]
            yield alias.asname or root, alias.asname or root, target if alias.asname else callables.module(root)
    elif node.level == 0 and node.module and node.module != "__future__":
        held = _module(node, node.module, findings, optional)
        if held is None:
            return
        for alias in node.names:
            if alias.name == "*":
                continue
            try:
                target = callables.member(held, alias.name)
            except Unknown:
                continue
            if target is MISSING and not optional:
                findings.append(_no_name(node, node.module, alias.name, held))
            yield alias.asname or alias.name, alias.asname or alias.name, target


def _module(node: ast.stmt, name: str, findings: list[Finding], optional: bool) -> Any:
    """The installed module; None where nobody can look at it, and where it is missing, a finding unless optional."""
    try:
        module = callables.module(name)
    except Unknown:
        return None
    if module is not MISSING:
        return module
    if not optional:
        findings.append(_no_module(node, name))
    return None


def _no_module(node: ast.stmt, name: str) -> Finding:
    message = f"Line {node.lineno} imports {name[:80]}, which is not installed."
    return Finding(code="unknown-import", message=message, line=node.lineno, remedy="")


def _no_name(node: ast.stmt, module: str, name: str, held: Any) -> Finding:
    close = callables.near(name, held)
    remedy = f"Did you mean {' or '.join(close)}?" if close else f"dir({module}) lists what it has."
    message = f"Line {node.lineno} imports {name} from {module}, which has no {name}."
    return Finding(code="unknown-import", message=message[:600], line=node.lineno, remedy=remedy[:380])


def _other_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, _NAMED) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            # `module.name = …` changes what the module has.
            yield from (inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))


def _optional(tree: ast.Module) -> set[ast.AST]:
    """Imports that may fail: inside a ``try``, an ``if``, or a ``with``."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.Try | ast.If | ast.With)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    }
