"""Decorated functions that keep something beside their function: `lru_cache`, `singledispatch`, `cached_property`.

A cache comes back empty. What was in it can be computed again, and its keys may hold anything.
"""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling

LruCache: type = type(functools.lru_cache(len))

#: The code that all functions made by `singledispatch` have.
DISPATCHER_CODE: types.CodeType = functools.singledispatch(lambda _value: None).__code__  # type: ignore[attr-defined]

_OF_LRU_CACHE = frozenset({"__wrapped__", "cache_parameters"})
_OF_DISPATCHER = frozenset({"__wrapped__", "register", "dispatch", "registry", "_clear_cache"})


def reduce_lru_cache(pickling: Pickling, cached: Any) -> Any:
    """A reference where there is one, else the function below and the parameters of the cache."""
    known = pickling.reference(cached)
    if known is not None:
        return known
    more = {name: value for name, value in cached.__dict__.items() if name not in _OF_LRU_CACHE}
    return make_lru_cache, (cached.__wrapped__, cached.cache_parameters()), more, None, None, update_dict


def make_lru_cache(function: Any, parameters: dict[str, Any]) -> Any:
    """The same cache, empty."""
    return functools.lru_cache(**parameters)(function)


def reduce_dispatcher(dispatcher: Any) -> Any:
    """A function made by `singledispatch`: the one below and those registered."""
    below = dispatcher.__wrapped__
    registered = [(kind_of, function) for kind_of, function in dispatcher.registry.items() if function is not below]
    more = {name: value for name, value in dispatcher.__dict__.items() if name not in _OF_DISPATCHER}
    return functools.singledispatch, (below,), (registered, more), None, None, set_dispatcher


def set_dispatcher(dispatcher: Any, state: tuple[list[tuple[type, Any]], dict[str, Any]]) -> None:
    """Registers again what was registered."""
    registered, more = state
    for kind_of, function in registered:
        dispatcher.register(kind_of, function)
    dispatcher.__dict__.update(more)


def reduce_cached_property(_pickling: Pickling, cached: Any) -> Any:
    """Without the lock that it has in some versions of Python."""
    state = {"attrname": cached.attrname, "__doc__": cached.__doc__}
    return functools.cached_property, (cached.func,), state, None, None, update_dict


def update_dict(value: Any, state: dict[str, Any]) -> None:
    """Attributes, set past whatever `__setattr__` would do."""
    value.__dict__.update(state)
