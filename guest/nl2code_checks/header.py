"""The header of a script (PEP 723) that names the packages it needs, so that any Python tool can run it."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement

#: The block as PEP 723 defines it.
BLOCK: Final = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
#: What pandas needs to read and write these, though a script does not import it.
NEEDED_BY: Final = {"_parquet": "pyarrow", "_feather": "pyarrow", "_excel": "openpyxl"}


def header_problem(source: str, tree: ast.Module) -> str | None:
    """Says what is wrong with the header, or None."""
    needed = needed_packages(tree)
    blocks = [match for match in BLOCK.finditer(source) if match["type"] == "script"]
    if len(blocks) != 1:
        return "it has no header (PEP 723)" if not blocks else "it has more than one header (PEP 723)"
    try:
        held = tomllib.loads("\n".join(line[2:] for line in blocks[0]["content"].splitlines()))
        listed = _listed(held)
    except (tomllib.TOMLDecodeError, InvalidRequirement, TypeError, ValueError) as error:
        return f"its header (PEP 723) can't be read: {str(error)[:200]}"
    if not isinstance(held.get("requires-python"), str):
        return "its header (PEP 723) does not say requires-python"
    for name, version in needed.items():
        if name not in listed:
            return f"its header (PEP 723) does not list {name}"
        if listed[name] != version:
            return f"its header (PEP 723) does not pin {name}=={version}, with which it runs here"
    return None


def header_text(tree: ast.Module) -> str:
    """The header that this script should start with."""
    listed = ", ".join(f'"{name}=={version}"' for name, version in needed_packages(tree).items())
    at_least = ".".join(map(str, sys.version_info[:2]))
    return f'# /// script\n# requires-python = ">={at_least}"\n# dependencies = [{listed}]\n# ///'


def needed_packages(tree: ast.Module) -> dict[str, str]:
    """Version by name of the installed packages that a script imports; a pack's libraries are not among them."""
    roots = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    roots |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    roots = {root.partition(".")[0] for root in roots}
    if "pandas" in roots:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr.startswith(("read_", "to_")):
                roots |= {module for ending, module in NEEDED_BY.items() if node.attr.endswith(ending)}
    known = importlib.metadata.packages_distributions()
    names = {distribution for root in roots for distribution in known.get(root, [])[:1]}
    return {name: importlib.metadata.version(name) for name in sorted(names)}


def _listed(held: dict[str, Any]) -> dict[str, str]:
    """Pinned version by name, empty where it is not pinned; what is for another Python is left out."""
    found: dict[str, str] = {}
    for text in held.get("dependencies", []):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            pins = [part.version for part in requirement.specifier if part.operator == "=="]
            found[requirement.name.lower().replace("_", "-")] = pins[0] if pins else ""
    return found
