"""Whether a script is plain Python that runs on its own on any day: a header, no clock, an exit code."""

from __future__ import annotations

import ast

from nl2code_checks.clock import clock_reads
from nl2code_checks.findings import Finding
from nl2code_checks.header import header_problem, header_text

MAX_CLOCKS = 5
#: What exists inside a sandbox only.
SESSION_ONLY = ("nl2code", "nl2code_guest", "nl2code_checks")


def examine_plain(source: str) -> list[Finding]:
    """Examines a script that parses.

    Args:
        source: The script's text.

    Returns:
        Findings ``reads-clock`` and ``needs-session``, and as warnings ``no-header`` and ``exit-code-lost``.
    """
    source = source.removeprefix("\ufeff").replace("\r\n", "\n")
    tree = ast.parse(source)
    found = [
        Finding(code="reads-clock", message=f"Line {line} reads the clock: {what}.", line=line)
        for line, what in sorted(set(clock_reads(tree)))[:MAX_CLOCKS]
    ]
    for line, name in _session_imports(tree)[:1]:
        message = f"Line {line} imports {name}, which exists only in a cell of the session: the script runs without it."
        found.append(Finding(code="needs-session", message=message, line=line))
    if problem := header_problem(source, tree):
        remedy = f"Start the script with:\n{header_text(tree)}"
        message = f"The script can't tell a tool what to install: {problem}."
        found.append(Finding(code="no-header", message=message, remedy=remedy))
    if not _exits(tree):
        found.append(Finding(code="exit-code-lost", message="The script does not end with sys.exit(main())."))
    return found


def _session_imports(tree: ast.Module) -> list[tuple[int, str]]:
    """Lines that import a module of the session, first to last, however they do it."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((node.lineno, node.module or ""))
        elif isinstance(node, ast.Call) and _name(node.func).endswith(("import_module", "__import__")):
            found += [(node.lineno, str(given.value)) for given in node.args[:1] if isinstance(given, ast.Constant)]
    return sorted((line, name) for line, name in found if name.partition(".")[0] in SESSION_ONLY)


def _name(function: ast.expr) -> str:
    """What is called, where that is a name or an attribute of one; nested code costs nothing."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def _exits(tree: ast.Module) -> bool:
    """Whether what ``main()`` returns is given to ``sys.exit`` or ``SystemExit``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in ("sys.exit", "exit", "SystemExit"):
            inner = [call for call in ast.walk(node) if isinstance(call, ast.Call) and call is not node]
            if any(isinstance(call.func, ast.Name) and call.func.id == "main" for call in inner):
                return True
    # Without a main() there is another finding.
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return "main" not in functions
