"""Objects that a saved state names instead of holding: what can be imported, and what a name of the session stands for.

A function or class that a top-level name is bound to is saved once, under that name; whatever else reaches it says
`ns:NAME`. So a function that the session defines anew is new for everyone who calls it, before and after a restore.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from typing import Any

from nl2code_guest.checkpoint.refusals import Refused

#: The module that cells run in.
MAIN = "__main__"

_MISSING = object()
#: Py_TPFLAGS_IMMUTABLETYPE
_IMMUTABLE = 1 << 8


def importable(value: Any) -> str | None:
    """The module in which `value` is found under its own name, or None. Never the module of the cells."""
    module = _text_of(value, "__module__")
    name = _text_of(value, "__qualname__") or _text_of(value, "__name__")
    if module is None or module == MAIN or name is None or "<" in name:
        return None
    found: Any = sys.modules.get(module, _MISSING)
    for part in name.split("."):
        found = getattr(found, part, _MISSING)
    return module if found is value else None


def path_in(namespace: Mapping[str, Any], value: Any) -> str | None:
    """The dotted path below a top-level name that leads to `value`, or None."""
    path = _text_of(value, "__qualname__") or _text_of(value, "__name__")
    if path is None or "<" in path:
        return None
    root, *rest = path.split(".")
    return path if descend(namespace.get(root, _MISSING), rest) is value else None


def descend(found: Any, parts: list[str]) -> Any:
    """What lies below a class, read past descriptors and `__getattr__`: nothing of the user's runs."""
    for part in parts:
        if not isinstance(found, type):
            return _MISSING
        found = type.__dict__["__dict__"].__get__(found).get(part, _MISSING)
        if isinstance(found, staticmethod | classmethod):
            found = found.__func__
    return found


def follow(root: Any, path: str) -> Any:
    """The way back: what `path` leads to, whose first part is the name of `root`."""
    found = descend(root, path.split(".")[1:])
    if found is _MISSING:
        raise Refused("gone", f"{path.split('.')[0]} has no {path} any more.")
    return found


def module_of(kind_of: type) -> str:
    """The module that a type says it is from, whatever its metaclass does about it."""
    try:
        module = type.__dict__["__module__"].__get__(kind_of)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def is_builtin(kind_of: type) -> bool:
    """Whether C code defines a type, so that nothing of Python's can be changed about it."""
    return bool(kind_of.__flags__ & _IMMUTABLE)


def import_attribute(module: str, path: str) -> Any:
    """An attribute of a module, imported when it is not there yet."""
    __import__(module)
    found: Any = sys.modules[module]
    for part in path.split("."):
        found = getattr(found, part)
    return found


def import_named(name: str) -> types.ModuleType:
    """A module by its whole name."""
    __import__(name)
    return sys.modules[name]


def _text_of(value: Any, attribute: str) -> str | None:
    try:
        found = getattr(value, attribute, None)
    except Exception:
        return None
    return found if type(found) is str else None
