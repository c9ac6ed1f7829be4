"""Small tools that run as cells, for a model that calls tools. They print, and raise nothing for what they find."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Mapping

from nl2code_guest.inspection import MAX_CHARS, describe_file

_MAX_NAME = 200


def read_schema(path: str) -> None:
    """Prints what one file holds: columns with types, distinct values, nulls and ranges, and the call that reads it."""
    if not os.path.exists(path):
        here = sorted(entry.name for entry in os.scandir(os.curdir) if entry.is_file())
        print(f"There is no file {path[:_MAX_NAME]!r}. Files here: {', '.join(here[:50]) or 'none'}.")
        return
    print(describe_file(path, path, MAX_CHARS))


def check_imports(packages: list[str]) -> None:
    """Prints for each name whether it can be imported here, with the version of its package where it has one."""
    owners = importlib.metadata.packages_distributions()
    for name in packages:
        print(f"{name[:_MAX_NAME]}: {_found(name.strip(), owners)}")


def _found(name: str, owners: Mapping[str, list[str]]) -> str:
    top = name.partition(".")[0]
    try:
        known = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError, TypeError):
        known = False
    if known:
        package = next(iter(owners.get(top, [])), None)
        return f"can be imported ({package} {importlib.metadata.version(package)})" if package else "can be imported"
    module = _module_of(name, owners)
    if module:
        return f"is installed, and is imported as {module}"
    return "can't be imported, and nothing can be installed here"


def _module_of(package: str, owners: Mapping[str, list[str]]) -> str | None:
    """The module that an installed package of this name is imported as."""
    wanted = package.lower().replace("_", "-")
    for module, packages in sorted(owners.items()):
        if not module.startswith("_") and any(name.lower().replace("_", "-") == wanted for name in packages):
            return module
    return None
