"""How many bytes some values hold, roughly and quickly: whether a child saves them is all that hangs on it.

Looks at some hundred objects at most, runs no user code and imports nothing. What it does not know counts little; who
knows the size of the last save takes the larger of both.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

_MOST_OBJECTS = 600
_SAMPLE = 8
_SMALL = frozenset((int, float, complex, bool, type(None), range, slice))
_CONTAINERS: tuple[type, ...] = (list, tuple, set, frozenset, dict)
_modules, _getsizeof = sys.modules, sys.getsizeof

Measure = Callable[[Any], int]


class Estimate:
    """A sum over values that share one budget of looks."""

    def __init__(self, enough: int) -> None:
        """Stops to look once the sum is `enough`."""
        self._enough = enough
        self._looks = _MOST_OBJECTS
        self._seen: set[int] = set()
        self._measures: dict[type, Measure | None] = {}
        self.bytes = 0

    def add(self, values: Iterable[object]) -> None:
        """Adds these values."""
        nested: list[object] = []
        # What says its size itself comes first, so that no budget is gone when it is its turn.
        for value in values:
            if self.bytes >= self._enough:
                return
            known = self._known_size(value)
            if known is None:
                nested.append(value)
            else:
                self.bytes += known
        for value in nested:
            if self.bytes >= self._enough or self._looks <= 0:
                return
            self.bytes += self._size(value, 10)

    def _known_size(self, value: object) -> int | None:
        kind = type(value)
        if kind in _SMALL:
            return 32
        if id(value) in self._seen:
            return 8
        try:
            measure = self._measures[kind]
        except KeyError:
            measure = self._measures[kind] = _measure_of(kind)
        if measure is None:
            return None
        self._seen.add(id(value))
        try:
            return measure(value)
        except Exception:
            return 64

    def _size(self, value: object, depth: int) -> int:
        self._looks -= 1
        if self._looks <= 0 or id(value) in self._seen:
            return 64
        known = self._known_size(value)
        if known is not None:
            return known
        self._seen.add(id(value))
        if depth == 0:
            return _own_size(value)
        if issubclass(type(value), _CONTAINERS):
            return self._sampled(value, depth)
        attributes = _attributes(value)
        return _own_size(value) + sum(self._size(held, depth - 1) for held in list(attributes.values())[:64])

    def _sampled(self, value: Any, depth: int) -> int:
        plain: Any = next(base for base in _CONTAINERS if issubclass(type(value), base))
        length = plain.__len__(value)
        if length == 0:
            return 64
        items: list[object] = []
        if plain is list or plain is tuple:
            step = max(1, length // _SAMPLE)
            items = [plain.__getitem__(value, at) for at in range(0, length, step)][:_SAMPLE]
        else:
            held = dict.items(value) if plain is dict else plain.__iter__(value)
            for item in held:
                items.append(item)
                if len(items) == _SAMPLE:
                    break
        sampled = sum(self._size(item, depth - 1) for item in items)
        return 64 + 8 * int(length) + sampled * int(length) // len(items)


def _own_size(value: object) -> int:
    """What an object of C code, such as an array of the standard library, says of itself."""
    if type.__dict__["__module__"].__get__(type(value)) == "__main__":
        return 64
    try:
        return _getsizeof(value, 64)
    except Exception:
        return 64


def _attributes(value: object) -> dict[str, Any]:
    try:
        found = object.__getattribute__(value, "__dict__")
    except Exception:
        return {}
    return found if type(found) is dict else {}


def _measure_of(kind: type) -> Measure | None:
    """How to measure what says its size itself; None for everything else. Asks the type: a value may lie about it."""
    if issubclass(kind, type | types.ModuleType | types.FunctionType):
        return lambda _value: 200
    if kind in (str, bytes, bytearray):
        return lambda value: 50 + len(value)
    for module, names, measure in _LIBRARIES:
        # It may be half imported.
        found = vars(_modules[module]) if module in _modules else {}
        if issubclass(kind, tuple(found[name] for name in names if name in found)):
            return measure
    return None


def _numpy_bytes(value: Any) -> int:
    # Strings of an object array cost more than the pointers to them.
    return 128 + int(value.size) * (64 if value.dtype.hasobject else int(value.dtype.itemsize))


def _block_bytes(value: Any) -> int:
    return 1024 + sum(_array_bytes(block.values) for block in value._mgr.blocks)


def _index_bytes(value: Any) -> int:
    return 128 + _array_bytes(value._values)


def _array_bytes(array: Any) -> int:
    objects = getattr(array.dtype, "hasobject", False)
    return 64 * int(array.size) if objects else int(array.nbytes)


def _arrow_bytes(value: Any) -> int:
    return int(value.nbytes)


def _polars_bytes(value: Any) -> int:
    return int(value.estimated_size())


_LIBRARIES: tuple[tuple[str, tuple[str, ...], Measure], ...] = (
    ("numpy", ("ndarray",), _numpy_bytes),
    ("pandas", ("DataFrame", "Series"), _block_bytes),
    ("pandas", ("Index",), _index_bytes),
    ("pyarrow", ("Table", "RecordBatch", "Array", "ChunkedArray"), _arrow_bytes),
    ("polars", ("DataFrame", "Series"), _polars_bytes),
)
