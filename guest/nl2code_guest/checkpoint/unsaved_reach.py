"""What a variable that can't be pickled leads to: the names its code uses, and the objects it shares with others.

The pickler tells that of everything it has written. For the rest, the references that Python's collector knows are
followed, a few thousand at most; what can't be seen through that far counts as leading everywhere.
"""

from __future__ import annotations

import gc
import itertools
import sys
import types
from collections.abc import Iterable
from typing import Any, NamedTuple

from nl2code_guest.checkpoint.reachability import EVERYTHING, names_in

_MOST_OBJECTS = 5_000
_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, range, slice, types.BuiltinFunctionType))
_PLAIN = (list, tuple, set, frozenset, dict)
_referents, _modules = gc.get_referents, sys.modules


class Reach(NamedTuple):
    """Names in the code that using a value may run, and ids of the objects that it holds."""

    names: frozenset[str]
    ids: frozenset[int]


def reach_of(value: object, namespace: dict[str, Any]) -> Reach:
    """Follows `value`; EVERYTHING is among the names when that did not come to an end."""
    names: set[str] = set()
    seen: dict[int, object] = {}
    waiting: list[object] = [value]
    while waiting:
        held = waiting.pop()
        kind = type(held)
        if kind in _ATOMS or id(held) in seen or _is_apart(held, namespace):
            continue
        if kind is types.CodeType:
            names |= names_in(held)
            continue
        seen[id(held)] = held
        parts = _parts(held)
        if parts is None or len(seen) > _MOST_OBJECTS:
            names.add(EVERYTHING)
            break
        waiting.extend(parts)
    return Reach(frozenset(names), frozenset(seen))


def _parts(held: Any) -> Iterable[object] | None:
    """What an object refers to; None when that is too much to look at."""
    kind = type(held)
    if kind in _PLAIN and len(held) > _MOST_OBJECTS:
        values = held.values() if kind is dict else held
        return () if all(type(item) in _ATOMS for item in itertools.islice(values, _MOST_OBJECTS)) else None
    if kind is types.FunctionType:
        # Of a library's function only what it was given counts, not what its code does.
        own = held.__globals__.get("__name__") == "__main__"
        return [held.__closure__, held.__defaults__, held.__kwdefaults__, held.__dict__, held.__code__ if own else None]
    return _referents(held)


def _is_apart(held: object, namespace: dict[str, Any]) -> bool:
    """Whether this belongs to no variable: a module, its dictionary, a library's class, the namespace itself."""
    if held is namespace or isinstance(held, types.ModuleType):
        return True
    if isinstance(held, type):
        return bool(type.__dict__["__module__"].__get__(held) != "__main__")
    if type(held) is dict and "__builtins__" in held:
        name = held.get("__name__")
        return type(name) is str and getattr(_modules.get(name), "__dict__", None) is held
    return False
