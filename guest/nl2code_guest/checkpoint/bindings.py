"""What the names of a session are bound to, by identity: which were bound anew, or are gone, since the last look.

One look a cell, a few passes of C code over the namespace; nothing is kept alive by it. A look counts from the one
before, so what happens between two cells (a thread that ended, code that ran in a save) counts with the later one.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from itertools import compress
from typing import Any, NamedTuple

from nl2code_guest.checkpoint.serialise import NOT_SAVED

_BLOCK = 256


class Rebound(NamedTuple):
    """What happened to the names of variables between two looks."""

    assigned: frozenset[str]
    deleted: frozenset[str]


class Bindings:
    """The bindings of one namespace as they were at the last look; the first one is taken at once."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        #: Every key and what it is bound to, whether it is a variable or not, in the namespace's order.
        self._keys: list[str] = []
        self._ids: list[int] = []
        #: The variables, each with its place in that order.
        self._places: dict[str, int] = {}
        self.look()

    def look(self) -> Rebound:
        """Compares with the last look. Raises what a key of a cell's own class raises; it has not been a look then."""
        # Without a step of Python's between the two, no other thread comes between them.
        keys, ids = list(self._namespace), list(map(id, self._namespace.values()))
        known = len(self._keys)
        if keys[:known] == self._keys:
            new = {key: place for place, key in enumerate(keys[known:], known) if _is_variable(key)}
            assigned = frozenset(key for key in self._different(ids) if key in self._places)
            rebound = Rebound(assigned | new.keys(), frozenset())
            self._places.update(new)
        else:
            rebound = self._compared(dict(zip(keys, ids, strict=True)))
            self._places = {key: place for place, key in enumerate(keys) if _is_variable(key)}
        self._keys, self._ids = keys, ids
        return rebound

    def __contains__(self, name: str) -> bool:
        """Whether this was a variable at the last look."""
        return name in self._places

    def in_order(self, names: Iterable[str]) -> list[str]:
        """Those of these names that were variables at the last look, in the order of the namespace."""
        return sorted((name for name in names if name in self._places), key=self._places.__getitem__)

    def _different(self, ids: list[int]) -> Iterator[str]:
        """The keys of the last look that stand for something else in `ids`."""
        for at in range(0, len(self._ids), _BLOCK):
            before, now = self._ids[at : at + _BLOCK], ids[at : at + _BLOCK]
            # Most blocks are as they were, and lists are compared several times as quickly as one by one.
            if before != now[: len(before)]:
                yield from compress(self._keys[at:], map(operator.ne, before, now))

    def _compared(self, now: dict[str, int]) -> Rebound:
        before = dict(zip(self._keys, self._ids, strict=True))
        assigned = frozenset(name for name, at in now.items() if before.get(name) != at and _is_variable(name))
        return Rebound(assigned, frozenset(name for name in self._places if name not in now))


def variables(namespace: dict[str, Any]) -> list[str]:
    """The names of a namespace that are variables of the session, as they are now."""
    return list(filter(_is_variable, namespace))


def _is_variable(name: object) -> bool:
    return type(name) is str and name not in NOT_SAVED
