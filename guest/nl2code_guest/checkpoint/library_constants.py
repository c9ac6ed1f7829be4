"""Objects that a library shares among everything made with it: default fonts, marker paths, its settings.

Two figures that have them in common are two variables all the same. Only what an attribute of a class or module holds
itself counts, not what is in a list or dict there: that may be a register of what the user made.
"""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

from nl2code_guest.checkpoint.references import MAIN, importable, module_of

_DEPTH = 3
_PLAIN = (str, int, float, bool, bytes, type(None), type, types.ModuleType, types.FunctionType)
_STANDARD = os.path.dirname(os.__file__)
_CONTAINERS = (list, dict, set, bytearray)


def constants(kinds: Iterable[type], among: Mapping[int, Any]) -> set[int]:
    """Which of these ids are kept in the attributes of these classes and of the modules they are from."""
    found: set[int] = set()
    for owner in {owner for kind_of in kinds for owner in _owners(kind_of)}:
        found |= _constants(owner).keys() & among.keys()
    return found


@functools.cache
def _owners(kind_of: type) -> tuple[Any, ...]:
    mro: tuple[type, ...] = type.__dict__["__mro__"].__get__(kind_of)
    bases = [base for base in mro if _is_library(module_of(base)) and importable(base)]
    modules = {name for base in bases for name in (module_of(base), module_of(base).partition(".")[0])}
    return (*bases, *(sys.modules[name] for name in modules if name in sys.modules))


def _is_library(module: str) -> bool:
    """Whether a module was installed; those in the workspace are the user's."""
    if module in (MAIN, "builtins", ""):
        return False
    path = str(getattr(sys.modules.get(module), "__file__", None) or _STANDARD)
    return path.startswith(_STANDARD) or "-packages/" in path


@functools.cache
def _constants(owner: Any) -> dict[int, Any]:
    """By id. The objects are held, so that none of these ids is ever another one's."""
    found: dict[int, Any] = {}
    for value in list(owner.__dict__.values()):
        _collect(value, found, _DEPTH)
    return found


def _collect(value: Any, found: dict[int, Any], depth: int) -> None:
    kind_of = type(value)
    if issubclass(kind_of, _PLAIN) or module_of(kind_of) == MAIN or id(value) in found:
        return
    found[id(value)] = value
    if kind_of in _CONTAINERS or not depth:
        return
    if issubclass(kind_of, dict):
        found.update((id(part), part) for part in dict.values(value) if type(part) is list)
        return
    attributes = _attributes(value)
    if attributes is not None:
        found[id(attributes)] = attributes
        for part in list(attributes.values()):
            _collect(part, found, depth - 1)


def _attributes(value: Any) -> dict[str, Any] | None:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except Exception:
        return None
    return attributes if type(attributes) is dict else None
