"""Classes that say themselves how they are pickled, or whose making wants more than pickle gives it."""

from __future__ import annotations

import collections
import types
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.references import MAIN, is_builtin

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Handler, Pickling

_REDUCES = ("__reduce__", "__reduce_ex__")
#: Methods of a class that pickle's own way calls on an object that is not finished, or past which it has to go.
_IN_THE_WAY = ("__new__", "__getattr__", "__getattribute__", "__setattr__")
_NEW_ARGUMENTS = ("__getnewargs__", "__getnewargs_ex__")
#: Containers whose own `__reduce__` calls the class, and with it the `__init__` of a class derived from them.
_CALLED = (collections.defaultdict, collections.OrderedDict, collections.deque, collections.Counter, set, bytearray)


def handler_for(kind_of: type) -> Handler | None:
    """What reduces objects of a class with methods of its own that matter here."""
    mro: tuple[type, ...] = type.__dict__["__mro__"].__get__(kind_of)
    bodies = [type.__dict__["__dict__"].__get__(base) for base in mro if not is_builtin(base)]
    cells = [body for body in bodies if body.get("__module__") == MAIN]
    if any(name in body for body in cells for name in _REDUCES):
        return reduce_by_user
    found: Any = kind_of
    plain = found.__reduce__ is object.__reduce__ and found.__reduce_ex__ is object.__reduce_ex__
    if plain and any(name in body for body in cells for name in _IN_THE_WAY):
        return None if any(name in body for body in cells for name in _NEW_ARGUMENTS) else reduce_bare
    if issubclass(kind_of, _CALLED) and not any(name in body for body in bodies for name in _REDUCES):
        return reduce_container if type(kind_of.__init__) is types.FunctionType and kind_of not in _CALLED else None
    return None


def reduce_by_user(pickling: Pickling, value: Any) -> Any:
    """As the class says. A string names a top-level variable; the variable itself is written by its attributes."""
    reduced = value.__reduce_ex__(5)
    if not isinstance(reduced, str):
        return reduced
    named = pickling.named(reduced, value)
    return reduce_bare(pickling, value) if named is None else named


def reduce_bare(_pickling: Pickling, value: Any) -> Any:
    """Past a `__new__` that wants arguments, and a `__getattr__` that asks an object for what it has not got yet."""
    kind_of: Any = type(value)
    base: Any = _builtin_base(kind_of)
    arguments = base.__getnewargs__(value) if hasattr(base, "__getnewargs__") else ()
    parts = iter(list(list.__iter__(value))) if isinstance(value, list) else None
    items = iter(list(dict.items(value))) if isinstance(value, dict) else None
    state = kind_of.__getstate__(value)
    setter = None if state is None or hasattr(kind_of, "__setstate__") else set_attributes
    return make_bare, (base, kind_of, *arguments), state, parts, items, setter


def make_bare(base: Any, kind_of: type, *arguments: Any) -> Any:
    """An object as its nearest built-in class makes it."""
    return base.__new__(kind_of, *arguments)


def set_attributes(value: Any, state: Any) -> None:
    """Attributes, in the dict and the slots of an object, past whatever its class does about them."""
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if attributes:
        object.__getattribute__(value, "__dict__").update(attributes)
    for name, content in (slots or {}).items():
        object.__setattr__(value, name, content)


def reduce_container(_pickling: Pickling, value: Any) -> Any:
    """Past an `__init__` that wants other arguments than the built-in container's."""
    kind_of = type(value)
    base = next(base for base in kind_of.__mro__ if base in _CALLED)
    content = list(dict.items(value)) if isinstance(value, dict) else list(base.__iter__(value))
    special = getattr(value, "default_factory", None) if base is collections.defaultdict else None
    if base is collections.deque:
        special = value.maxlen
    state = (base, special, content, value.__getstate__())
    return make_bare, (_builtin_base(kind_of), kind_of), state, None, None, set_container


def set_container(value: Any, state: tuple[Any, Any, list[Any], Any]) -> None:
    """Content and attributes, set as the built-in container does it."""
    base, special, content, attributes = state
    if base is collections.defaultdict:
        base.__init__(value, special)
    elif base is collections.deque:
        base.__init__(value, content, special)
    elif not isinstance(value, dict):
        base.__init__(value, content)
    if isinstance(value, dict):
        put = collections.OrderedDict.__setitem__ if base is collections.OrderedDict else dict.__setitem__
        for key, item in content:
            put(value, key, item)
    set_attributes(value, attributes)


def _builtin_base(kind_of: type) -> type:
    return next(base for base in kind_of.__mro__ if is_builtin(base))
