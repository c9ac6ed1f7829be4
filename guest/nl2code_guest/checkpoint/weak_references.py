"""Weak references: they point at the same object again if anything that was saved with them holds it.

The object is saved together with the reference, and so is in one co-variable with whoever holds it. If nobody did but
the code of a library, it is gone when loading ends, and the reference is dead, as any reference to it would be.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling


class _Gone:
    """What a dead reference pointed at."""


def reduce_reference(_pickling: Pickling, reference: Any) -> Any:
    """A `weakref.ref` or `WeakMethod`, with its callback."""
    target = reference()
    if target is None:
        return make_dead_reference, ()
    callback = reference.__callback__ if type(reference) is weakref.ref else None
    return type(reference), (target,) if callback is None else (target, callback)


def make_dead_reference() -> weakref.ref[Any]:
    """A reference to nothing."""
    return weakref.ref(_Gone())


def reduce_weak_dict(_pickling: Pickling, mapping: Any) -> Any:
    """A dictionary that is weak in its keys or values; filled once it exists, so that it may hold what holds it."""
    return type(mapping), (), None, None, iter(list(mapping.items()))


def reduce_weak_set(_pickling: Pickling, members: Any) -> Any:
    """A WeakSet."""
    return type(members), (), list(members), None, None, add_all


def add_all(members: Any, values: list[Any]) -> None:
    """Fills a set."""
    for value in values:
        members.add(value)
