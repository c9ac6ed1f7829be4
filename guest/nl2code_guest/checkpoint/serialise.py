"""Turns variables into components: pickles each, finds which belong together, writes what is new.

Runs in the kernel, or in the child that saves for it. Nothing of the state that is saved so far is changed here; who
calls applies the result.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import xxhash

from nl2code_guest.checkpoint.buffers import Chunk, store_buffer, store_bytes
from nl2code_guest.checkpoint.component import MAX_INLINE_BYTES, Component, Components, inline_chunk
from nl2code_guest.checkpoint.covariables import covariables
from nl2code_guest.checkpoint.live_objects import is_importable
from nl2code_guest.checkpoint.pickler import Pickled, Refused, dump
from nl2code_guest.checkpoint.refusals import type_name
from nl2code_guest.checkpoint.saved_state import RefusedVariable, SavedState
from nl2code_guest.checkpoint.segments import SegmentWriter
from nl2code_guest.checkpoint.unsaved_reach import reach_of
from nl2code_guest.checkpoint.warnings_given import REGISTRY
from nl2code_guest.time_limit import TooSlow, within

#: The kernel's own, and Python's: not variables.
NOT_SAVED = frozenset(
    (
        "__builtins__",
        "__name__",
        "__doc__",
        "__loader__",
        "__spec__",
        "__package__",
        "__file__",
        "__annotate__",
        # A setting.
        REGISTRY,
    )
)
#: One variable may take this long to pickle, in the kernel itself; plus what its size needs.
_SECONDS, _BYTES_PER_SECOND = 10.0, 4 << 20


class Serialised(NamedTuple):
    """What some variables came to."""

    #: New or changed ones.
    components: list[Component]
    #: Ids of those that are as they were saved.
    unchanged: set[str]
    modules: dict[str, str]
    refused: dict[str, RefusedVariable]


def serialise(
    names: Iterable[str],
    namespace: dict[str, Any],
    saved: SavedState,
    prefix: str,
    writer: SegmentWriter,
    limited: bool,
    together: bool = False,
) -> Serialised:
    """Makes components of these variables.

    Args:
        names: Keys of the namespace.
        saved: What is saved so far; what did not change is found in it.
        prefix: Makes ids of new components.
        limited: Whether a variable whose pickling does not end is refused. Else who waits for this process has to.
        together: Whether most are thought to be as they were: a saved component is then pickled as a whole first, and
            one variable at a time only when that is not what was saved.

    Raises:
        OSError: something could not be written; the writer has taken its bytes back.
    """
    work = _Serialising(namespace, saved, prefix, writer, limited)
    waiting = list(names)
    if together:
        waiting = work.look_at_components(waiting)
    for name in waiting:
        work.look_at(name)
    return work.finish()


class _Serialising:
    def __init__(
        self,
        namespace: dict[str, Any],
        saved: SavedState,
        prefix: str,
        writer: SegmentWriter,
        limited: bool,
    ) -> None:
        self._namespace = namespace
        self._saved = saved
        self._prefix = prefix
        self._writer = writer
        self._limited = limited
        self._known = _Known(saved.components)
        self._pickled: dict[str, Pickled] = {}
        #: Saved components of several variables that are what they were, but for their buffers, by their names.
        self._whole: dict[tuple[str, ...], Pickled] = {}
        self._refusals: dict[str, Refused] = {}
        self._result = Serialised([], set(), {}, {})

    def look_at_components(self, names: list[str]) -> list[str]:
        """Pickles saved components as wholes; returns the names that have to be looked at one by one.

        An equal stream says that the same hangs together in it. What it shares with others its `reached` tells.
        """
        known, by_name = set(names), self._saved.components.by_name
        several = {part.id: part for name in names if (part := by_name.get(name)) and len(part.names) > 1}
        done: set[str] = set()
        for part in several.values():
            if known.issuperset(part.names) and not any(self._is_module(name) for name in part.names):
                with contextlib.suppress(Refused):
                    pickled = self._dump(list(part.names))
                    if xxhash.xxh3_128_hexdigest(pickled.stream) == part.stream.hash:
                        self._whole[part.names] = pickled
                        done.update(part.names)
        return [name for name in names if name not in done]

    def look_at(self, name: str) -> None:
        """Pickles one variable by itself."""
        value = self._namespace[name]
        if self._is_module(name):
            self._result.modules[name] = vars(value)["__name__"]
            return
        try:
            self._pickled[name] = self._dump([name])
        except Refused as refused:
            self._refusals[name] = refused

    def finish(self) -> Serialised:
        """Groups and writes what was looked at."""
        reached = {name: pickled.reached for name, pickled in self._pickled.items()}
        needs = {name: pickled.needs for name, pickled in self._pickled.items()}
        for part, whole in self._whole.items():
            # All in the name of the first, and a ring that keeps them together.
            reached.update(dict.fromkeys(part, frozenset()))
            reached[part[0]] = whole.reached
            needs.update({name: {part[at]} for at, name in enumerate(part, 1 - len(part))})
            needs[part[0]] = needs[part[0]] | whole.needs
        groups = covariables(reached, needs)
        for name, refused in self._refusals.items():
            self._refuse(name, refused)
        for group in groups:
            names = sorted(group)
            pickled = self._whole.get(tuple(names)) or self._pickled.get(names[0])
            if pickled is None or (len(names) > 1 and tuple(names) not in self._whole):
                try:
                    pickled = self._dump(names)
                except Refused as refused:
                    # Each alone went well, so this is about their number or size.
                    for name in names:
                        self._refuse(name, refused)
                    continue
            self._keep(tuple(names), pickled)
        return self._result

    def _looked_at(self) -> Iterator[tuple[tuple[str, ...], Pickled]]:
        yield from (((name,), pickled) for name, pickled in self._pickled.items())
        yield from self._whole.items()

    def _is_module(self, name: str) -> bool:
        value = self._namespace[name]
        return isinstance(value, ModuleType) and is_importable(value)

    def _dump(self, names: list[str]) -> Pickled:
        values = {name: self._namespace[name] for name in names}
        if not self._limited:
            return dump(values, self._namespace)
        known = sum(self._saved.components.size_of(name) for name in names)
        seconds = _SECONDS + known / _BYTES_PER_SECOND
        began = time.monotonic()
        try:
            return within(seconds, dump, values, self._namespace)
        except (Refused, TooSlow) as error:
            if isinstance(error, Refused) and time.monotonic() - began < seconds:
                raise
            raise Refused("too-slow", _too_slow(seconds)) from None

    def _refuse(self, name: str, refused: Refused) -> None:
        value = self._namespace[name]
        reach = reach_of(value, self._namespace)
        shares = tuple(other for names, pickled in self._looked_at() if pickled.reached & reach.ids for other in names)
        self._result.refused[name] = RefusedVariable(
            refused.kind, refused.message, type_name(type(value)), tuple(sorted(reach.names)), shares
        )

    def _keep(self, names: tuple[str, ...], pickled: Pickled) -> None:
        stream = pickled.stream
        inline = bytes(stream) if stream.nbytes <= MAX_INLINE_BYTES else None
        component = Component(
            id=f"{self._prefix}-{len(self._result.components)}",
            names=names,
            stream=inline_chunk(inline) if inline is not None else store_bytes(stream, self._writer, self._known),
            inline=inline,
            buffers=[store_buffer(buffer, self._writer, self._known) for buffer in pickled.buffers],
            needs=frozenset(pickled.needs),
            mentions=frozenset(pickled.mentions),
            modules=frozenset(pickled.modules),
        )
        saved = self._saved.components.by_name.get(names[0])
        if saved is not None and saved.holds_what(component):
            self._result.unchanged.add(saved.id)
        else:
            self._result.components.append(component)


class _Known(dict[str, Chunk]):
    """What this save has written, before what is saved already."""

    def __init__(self, saved: Components) -> None:
        super().__init__()
        self._saved = saved

    def get(self, digest: str, default: Any = None) -> Any:
        """A chunk of this hash, if there is one."""
        return super().get(digest) or self._saved.known_chunk(digest) or default


def _too_slow(seconds: float) -> str:
    return f"Pickling it did not end within {seconds:g} s; keep what it was made from, and make it where it is used."
