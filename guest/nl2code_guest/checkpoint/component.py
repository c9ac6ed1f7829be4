"""Components: variables that are saved together, because they share objects, and where their bytes stand.

A small stream without buffers stands in the state itself, so that a small cell writes no segment at all.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import xxhash

from nl2code_guest.checkpoint.buffers import Chunk, StoredBuffer, to_chunk
from nl2code_guest.checkpoint.segments import Segments

#: A larger stream goes into a segment.
MAX_INLINE_BYTES = 2 << 10


class Component(NamedTuple):
    """One component as it was saved."""

    #: Never used twice in a session.
    id: str
    names: tuple[str, ...]
    #: Without a segment when the bytes are `inline`.
    stream: Chunk
    inline: bytes | None
    buffers: list[StoredBuffer]
    #: Top-level names it refers to: functions and classes that other components hold.
    needs: frozenset[str]
    #: Global names that code in it uses.
    mentions: frozenset[str]
    #: Modules that must be importable to load it.
    modules: frozenset[str]

    def holds_what(self, other: Component) -> bool:
        """Whether both have the same bytes under the same names."""
        return (
            self.names == other.names
            and self.stream.hash == other.stream.hash
            and [_hashes(buffer) for buffer in self.buffers] == [_hashes(buffer) for buffer in other.buffers]
        )

    def chunks(self) -> Iterator[Chunk]:
        """Every chunk that stands in a segment."""
        if self.inline is None:
            yield self.stream
        for buffer in self.buffers:
            yield from buffer["chunks"]

    def size(self) -> int:
        """Bytes of everything in it."""
        return self.stream.length + sum(buffer["bytes"] for buffer in self.buffers)

    def read_stream(self, segments: Segments) -> bytes:
        """Its pickle; raises as `Segments.read` does."""
        return segments.read(self.stream.location) if self.inline is None else self.inline

    def to_json(self) -> dict[str, Any]:
        """As it stands in a state."""
        found: dict[str, Any] = {
            "id": self.id,
            "names": list(self.names),
            "stream": list(self.stream),
            "buffers": [{**buffer, "chunks": [list(chunk) for chunk in buffer["chunks"]]} for buffer in self.buffers],
            "needs": sorted(self.needs),
            "mentions": sorted(self.mentions),
            "modules": sorted(self.modules),
        }
        if self.inline is not None:
            found["inline"] = b64encode(self.inline).decode("ascii")
        return found


def to_component(raw: dict[str, Any]) -> Component:
    """A component as JSON gave it. Raises KeyError, TypeError or ValueError when it is none."""
    inline = raw.get("inline")
    buffers: list[StoredBuffer] = [
        {
            "bytes": int(buffer["bytes"]),
            "readonly": bool(buffer["readonly"]),
            "chunks": [to_chunk(chunk) for chunk in buffer["chunks"]],
        }
        for buffer in raw["buffers"]
    ]
    return Component(
        str(raw["id"]),
        tuple(raw["names"]),
        to_chunk(raw["stream"]),
        None if inline is None else b64decode(inline),
        buffers,
        frozenset(raw["needs"]),
        frozenset(raw["mentions"]),
        frozenset(raw["modules"]),
    )


def inline_chunk(stream: bytes) -> Chunk:
    """The chunk of a stream that stands in the state."""
    return Chunk(xxhash.xxh3_128_hexdigest(stream), "", 0, len(stream))


class Components:
    """The components of one state, found by id, by name, and by the names they need."""

    def __init__(self) -> None:
        self.by_id: dict[str, Component] = {}
        self.by_name: dict[str, Component] = {}
        #: Name -> ids of the components that refer to it.
        self._needing: dict[str, set[str]] = {}
        self._modules: dict[str, int] = {}
        #: Chunks by hash, and how often each is in use.
        self._known: dict[str, Chunk] = {}
        self._uses: dict[str, int] = {}

    def __iter__(self) -> Iterator[Component]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)

    def add(self, component: Component) -> None:
        """Adds one; whatever held one of its names goes."""
        for name in component.names:
            if name in self.by_name:
                self.remove(self.by_name[name].id)
        self.by_id[component.id] = component
        self.by_name.update(dict.fromkeys(component.names, component))
        for name in component.needs:
            self._needing.setdefault(name, set()).add(component.id)
        for module in component.modules:
            self._modules[module] = self._modules.get(module, 0) + 1
        for chunk in component.chunks():
            self._known.setdefault(chunk.hash, chunk)
            self._uses[chunk.hash] = self._uses.get(chunk.hash, 0) + 1

    def replace(self, component: Component) -> None:
        """Puts one in the place of the one that has its id and its content, with chunks that stand elsewhere."""
        self.remove(component.id)
        self.add(component)

    def remove(self, id: str) -> None:
        """Removes one; nothing happens when it is not there."""
        component = self.by_id.pop(id, None)
        if component is None:
            return
        for name in component.names:
            del self.by_name[name]
        for name in component.needs:
            self._needing[name].discard(id)
            if not self._needing[name]:
                del self._needing[name]
        for module in component.modules:
            self._modules[module] -= 1
            if not self._modules[module]:
                del self._modules[module]
        for chunk in component.chunks():
            self._uses[chunk.hash] -= 1
            if not self._uses[chunk.hash]:
                del self._uses[chunk.hash], self._known[chunk.hash]

    def needing(self, names: Iterable[str]) -> set[str]:
        """Ids of the components that refer to any of these names."""
        return {id for name in names for id in self._needing.get(name, ())}

    def size_of(self, name: str) -> int:
        """Bytes of the component that holds this name; 0 when none does."""
        found = self.by_name.get(name)
        return 0 if found is None else found.size()

    def modules(self) -> set[str]:
        """All modules that must be importable."""
        return set(self._modules)

    def known_chunk(self, digest: str) -> Chunk | None:
        """A chunk of that hash that is in use."""
        return self._known.get(digest)


def _hashes(buffer: StoredBuffer) -> tuple[bool, list[str]]:
    return buffer["readonly"], [chunk.hash for chunk in buffer["chunks"]]
