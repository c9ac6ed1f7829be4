"""Variables of saved states as live objects. A component is loaded once, whichever states name it.

A component that keeps its id from one state to the next has not changed between them, and where all that it needs has
not changed either, its object is the same. So what a re-run cell gets as its input is the very object that the restored
session has, as long as nothing has changed it since.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from nl2code_guest.checkpoint.component import Component
from nl2code_guest.checkpoint.mapping import map_buffers
from nl2code_guest.checkpoint.pickler import Unloadable, load
from nl2code_guest.checkpoint.reachability import EVERYTHING
from nl2code_guest.checkpoint.saved_state import SavedState
from nl2code_guest.checkpoint.segments import Segments

_Key = frozenset[str]
"""Ids of a component and of all that it leads to: an instance holds its class."""

_CELL = re.compile(rb"<cell (\d{1,12})>")


class Loading:
    """Loads components into one namespace: their functions are bound to it, and their variables are put there.

    Code of the session may run (`__setstate__`, `__hash__`), so what it mentions comes first, as far as circles allow.
    """

    def __init__(self, segments: Segments, namespace: dict[str, Any]) -> None:
        self._segments = segments
        self._namespace = namespace
        #: With the id of the component itself.
        self._loaded: dict[_Key, tuple[str, dict[str, object]]] = {}
        self._failed: dict[str, str] = {}
        self._underway: set[str] = set()
        #: Numbers of the cells that code in loaded variables comes from.
        self.cells: set[int] = set()

    def load(self, names: Iterable[str], state: SavedState) -> dict[str, str]:
        """Loads what holds these variables in `state`, with all that it leads to; returns what failed: name and reason.

        Raises:
            TornSegment: bytes can't be had.
        """
        failed: dict[str, str] = {}
        for component in _in_order(names, state):
            try:
                self._component(component, state)
            except Unloadable as error:
                failed.update(dict.fromkeys(component.names, str(error)))
        return failed

    def read_again(self, component: Component) -> dict[str, object]:
        """The variables of a component as new objects, put nowhere. What it needs is what the namespace has.

        Raises Unloadable and TornSegment.
        """
        return load(component.read_stream(self._segments), self._buffers(component), self._namespace, self._bound)

    def adopt(self, component: Component, state: SavedState, values: dict[str, object]) -> None:
        """Takes these objects for a component of `state` that they were shown to be equal to."""
        self._loaded[_key(component, state)] = component.id, values

    def forget(self, names: Collection[str]) -> None:
        """Drops the objects of what holds these variables, in whichever state, and of what leads to them.

        EVERYTHING among them drops all.
        """
        ids = {id for id, values in self._loaded.values() if EVERYTHING in names or not values.keys().isdisjoint(names)}
        self._loaded = {key: loaded for key, loaded in self._loaded.items() if key.isdisjoint(ids)}

    def _component(self, component: Component, state: SavedState) -> dict[str, object]:
        key = _key(component, state)
        loaded = self._loaded.get(key)
        if loaded is None:
            loaded = self._loaded[key] = component.id, self._read(component, state)
        self._namespace.update(loaded[1])
        return loaded[1]

    def _read(self, component: Component, state: SavedState) -> dict[str, object]:
        if component.id in self._failed:
            raise Unloadable(self._failed[component.id])
        if component.id in self._underway:
            raise Unloadable(f"{', '.join(component.names)} need themselves")
        stream = component.read_stream(self._segments)
        self._underway.add(component.id)
        try:
            found = load(stream, self._buffers(component), self._namespace, self._resolver(state))
        except Unloadable as error:
            self._failed[component.id] = str(error)
            raise
        finally:
            self._underway.discard(component.id)
        self.cells.update(int(number) for number in _CELL.findall(stream))
        return found

    def _bound(self, name: str) -> object:
        try:
            return self._namespace[name]
        except KeyError:
            raise Unloadable(f"it needs {name!r}, which is not there") from None

    def _buffers(self, component: Component) -> list[memoryview]:
        return map_buffers(self._segments, component.buffers)

    def _resolver(self, state: SavedState) -> Callable[[str], object]:
        def resolve(name: str) -> object:
            component = state.components.by_name.get(name)
            if component is None:
                raise Unloadable(f"it needs {name!r}, which could not be saved")
            return self._component(component, state)[name]

        return resolve


def _key(component: Component, state: SavedState) -> _Key:
    found = {component.id}
    waiting = [*component.needs]
    while waiting:
        needed = state.components.by_name.get(waiting.pop())
        if needed is not None and needed.id not in found:
            found.add(needed.id)
            waiting += needed.needs
    return frozenset(found)


def _in_order(names: Iterable[str], state: SavedState) -> list[Component]:
    """The components of these names and of all they lead to; what one needs or mentions comes before it."""
    by_name = state.components.by_name
    order: list[Component] = []
    seen: set[str] = set()
    stack: list[tuple[Component, Iterator[str]]] = []

    def enter(name: str) -> None:
        component = by_name.get(name)
        if component is not None and component.id not in seen:
            seen.add(component.id)
            stack.append((component, iter((*component.needs, *component.mentions))))

    for name in names:
        enter(name)
        while stack:
            component, following = stack[-1]
            step = next(following, None)
            if step is None:
                order.append(component)
                stack.pop()
            else:
                enter(step)
    return order
