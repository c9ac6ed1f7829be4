"""Reads a script without running it: does it parse, has it a ``main()``, does it hold credentials."""

from __future__ import annotations

import ast
import warnings

from nl2code_checks.credentials import credentials
from nl2code_checks.findings import Finding, shown
from nl2code_checks.plain import examine_plain

SCRIPT = "script.py"


def read_script(source: str) -> list[Finding]:
    """Reads a script without running it.

    Args:
        source: The script's text.

    Returns:
        The findings of ``examine``, and of a script that parses those of ``examine_plain``.
    """
    found = examine(source)
    if any(finding["code"] == "syntax-error" for finding in found):
        return found
    try:
        return [*found, *examine_plain(source)]
    except (RecursionError, MemoryError, ValueError) as error:
        # A script that breaks its reader is not said to read no clock.
        why = f"Whether the script reads the clock can't be seen: reading it ended with {type(error).__name__}."
        return [*found, Finding(code="reads-clock", message=why)]


def examine(source: str) -> list[Finding]:
    """Examines a script.

    Args:
        source: The script's text.

    Returns:
        Findings ``syntax-error``, ``no-main`` and ``credentials``; nothing else is looked at after a syntax error.
    """
    # Python skips the mark of an editor at the start of a file, but not of a text.
    source = source.removeprefix("\ufeff")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, SCRIPT)
            compile(source, SCRIPT, "exec", dont_inherit=True)
    except SyntaxError as error:
        finding = Finding(code="syntax-error", message=f"The script does not parse: {error.msg}{_quoted(error.text)}.")
        if error.lineno:
            finding["line"] = error.lineno
        return [finding]
    except (ValueError, MemoryError, RecursionError) as error:
        return [
            Finding(
                code="syntax-error", message=f"The script does not parse: {type(error).__name__} {shown(str(error))}."
            )
        ]
    found = [*_main(tree)]
    for line, what in credentials(source, tree):
        found.append(Finding(code="credentials", message=f"Line {line} holds {what}.", line=line))
    return found


def _main(tree: ast.Module) -> list[Finding]:
    if not any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "main" for node in tree.body):
        return [Finding(code="no-main", message="The script has no function main().")]
    if not any(
        isinstance(node, ast.Name) and node.id == "main" and isinstance(node.ctx, ast.Load) for node in ast.walk(tree)
    ):
        return [Finding(code="no-main", message="The script defines main() and never calls it.")]
    return []


def _quoted(text: str | None) -> str:
    return f" at {shown(text.strip())}" if text and text.strip() else ""
