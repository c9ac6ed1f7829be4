"""Variables of saved states as live objects. A component is loaded once, whichever states name it.

A component that keeps its id from one state to the next has not changed between them. So what a re-run cell gets as its
input is the very object that the restored session has, as long as nothing has changed it since.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from nl2code_guest.checkpoint.component import Component
from nl2code_guest.checkpoint.mapping import map_buffer
from nl2code_guest.checkpoint.pickler import Unloadable, load
from nl2code_guest.checkpoint.reachability import EVERYTHING
from nl2code_guest.checkpoint.saved_state import SavedState
from nl2code_guest.checkpoint.segments import Segments

_CELL = re.compile(rb"<cell (\d{1,12})>")


class Loading:
    """Loads components into one namespace: their functions are bound to it, and their variables are put there.

    Code of the session may run (`__setstate__`, `__hash__`), so what it mentions comes first, as far as circles allow.
    """

    def __init__(self, segments: Segments, namespace: dict[str, Any]) -> None:
        self._segments = segments
        self._namespace = namespace
        self._loaded: dict[str, dict[str, object]] = {}
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

    def read_again(self, component: Component, state: SavedState) -> dict[str, object]:
        """The variables of a component as new objects, put nowhere. Raises Unloadable and TornSegment."""
        return load(
            component.read_stream(self._segments), self._buffers(component), self._namespace, self._resolver(state)
        )

    def adopt(self, component: Component, values: dict[str, object]) -> None:
        """Takes these objects for a component that they were shown to be equal to, unless it was loaded before."""
        self._loaded.setdefault(component.id, values)

    def forget(self, names: Collection[str]) -> None:
        """Drops the objects of what holds these variables, in whichever state; EVERYTHING among them drops all."""
        for id, values in list(self._loaded.items()):
            if EVERYTHING in names or any(name in names for name in values):
                del self._loaded[id]

    def _component(self, component: Component, state: SavedState) -> dict[str, object]:
        found = self._loaded.get(component.id)
        if found is None:
            found = self._read(component, state)
        self._namespace.update(found)
        return found

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
        self._loaded[component.id] = found
        return found

    def _buffers(self, component: Component) -> list[memoryview]:
        return [
            map_buffer(self._segments, buffer["chunks"], buffer["bytes"], buffer["readonly"])
            for buffer in component.buffers
        ]

    def _resolver(self, state: SavedState) -> Callable[[str], object]:
        def resolve(name: str) -> object:
            component = state.components.by_name.get(name)
            if component is None:
                raise Unloadable(f"it needs {name!r}, which could not be saved")
            return self._component(component, state)[name]

        return resolve


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
