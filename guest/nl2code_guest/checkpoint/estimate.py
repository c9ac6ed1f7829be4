"""How many bytes some values hold, roughly and quickly: whether a child saves them is all that hangs on it.

Looks at some hundred objects at most, runs no user code and imports nothing. What it does not know counts little; who
knows the size of the last save takes the larger of both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

_MOST_OBJECTS = 600
_SAMPLE = 8
_SMALL = frozenset((int, float, complex, bool, type(None), type, range, slice))
_modules, _getsizeof = sys.modules, sys.getsizeof


class Estimate:
    """A sum over values that share one budget of looks."""

    def __init__(self, enough: int) -> None:
        """Stops to look once the sum is `enough`."""
        self._enough = enough
        self._looks = _MOST_OBJECTS
        self._seen: set[int] = set()
        self.bytes = 0

    def add(self, values: Iterable[object]) -> None:
        """Adds these values."""
        for value in values:
            if self.bytes >= self._enough or self._looks <= 0:
                return
            self.bytes += self._size(value, 10)

    def _size(self, value: object, depth: int) -> int:
        kind = type(value)
        if kind in _SMALL:
            return 32
        self._looks -= 1
        if self._looks <= 0 or id(value) in self._seen:
            return 64
        self._seen.add(id(value))
        if kind is str or kind is bytes or kind is bytearray:
            return 50 + len(value)  # type: ignore[arg-type]
        try:
            known = _library_size(value)
        except Exception:
            known = 64
        if known is not None:
            return known
        if depth == 0:
            return _own_size(value)
        if isinstance(value, list | tuple | set | frozenset | dict):
            return self._sampled(value, depth)
        attributes = _attributes(value)
        return _own_size(value) + sum(self._size(held, depth - 1) for held in list(attributes.values())[:64])

    def _sampled(self, value: Any, depth: int) -> int:
        plain = next(base for base in (list, tuple, set, frozenset, dict) if isinstance(value, base))
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
        return 64 + 8 * length + sampled * length // len(items)


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


def _library_size(value: Any) -> int | None:
    """Bytes of a library's table or array; None for everything else."""
    for module, measure in _MEASURES:
        if module in _modules and (found := measure(_modules[module], value)) is not None:
            return found
    return None


def _numpy(numpy: Any, value: Any) -> int | None:
    if not isinstance(value, numpy.ndarray):
        return None
    # Strings of an object array cost more than the pointers to them.
    bytes_each = 64 if value.dtype.hasobject else value.dtype.itemsize
    return 128 + int(value.size) * int(bytes_each)


def _pandas(pandas: Any, value: Any) -> int | None:
    if not isinstance(value, pandas.DataFrame | pandas.Series | pandas.Index):
        return None
    if isinstance(value, pandas.Index):
        return 128 + _array_bytes(value._values)
    return 1024 + sum(_array_bytes(block.values) for block in value._mgr.blocks)


def _array_bytes(array: Any) -> int:
    objects = getattr(array.dtype, "hasobject", False)
    return 64 * int(array.size) if objects else int(array.nbytes)


def _pyarrow(pyarrow: Any, value: Any) -> int | None:
    kinds = (pyarrow.Table, pyarrow.RecordBatch, pyarrow.Array, pyarrow.ChunkedArray)
    return int(value.nbytes) if isinstance(value, kinds) else None


def _polars(polars: Any, value: Any) -> int | None:
    return int(value.estimated_size()) if isinstance(value, polars.DataFrame | polars.Series) else None


_MEASURES: tuple[tuple[str, Callable[[Any, Any], int | None]], ...] = (
    ("numpy", _numpy),
    ("pandas", _pandas),
    ("pyarrow", _pyarrow),
    ("polars", _polars),
)
