"""Whether live variables hold the same values as others: as `canonical` says it, and however their memory lies.

Showing a table of pandas moves its columns together, a write to one moves them apart; a restored table has other blocks
than the one that was saved. A cell that only looked at it has changed nothing for that.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

import xxhash

from nl2code_guest.checkpoint.arrays import detached
from nl2code_guest.checkpoint.buffers import digest_of
from nl2code_guest.checkpoint.canonical import is_same
from nl2code_guest.checkpoint.pickler import Pickled, dump
from nl2code_guest.checkpoint.pickling import Handler, Pickling
from nl2code_guest.checkpoint.reducers import handler_of


def is_equal(one: dict[str, object], other: dict[str, object], namespace: dict[str, Any]) -> bool:
    """Whether variables are equal to others in type, structure, sharing and content.

    Raises:
        Refused: some can't be pickled.
    """
    first, second = _dump(one, namespace), _dump(other, namespace)
    return is_same(bytes(first.stream), bytes(second.stream)) and _digests(first) == _digests(second)


def _dump(values: dict[str, object], namespace: dict[str, Any]) -> Pickled:
    return dump(values, namespace, _handler_of)


def _digests(pickled: Pickled) -> list[list[str]]:
    return [digest_of(buffer) for buffer in pickled.buffers]


def _handler_of(kind_of: type) -> Handler | None:
    managers: Any = sys.modules.get("pandas.core.internals.managers")
    if managers is not None and issubclass(kind_of, managers.BaseBlockManager):
        return _reduce_manager
    backed: Any = sys.modules.get("pandas.core.arrays.arrow.array")
    if backed is not None and issubclass(kind_of, backed.ArrowExtensionArray):
        return _reduce_arrow_backed
    arrow: Any = sys.modules.get("pyarrow.lib")
    if arrow is not None and issubclass(kind_of, arrow.Array):
        return _reduce_arrow
    return handler_of(kind_of)


def _reduce_manager(pickling: Pickling, manager: Any) -> Any:
    """A table's labels and columns, each in memory of its own."""
    columns = [manager.iget_values(at) for at in range(len(manager.items))] if manager.ndim == 2 else [manager.array]
    return type(manager), (manager.axes, [_alone(pickling, column) for column in columns])


def _alone(pickling: Pickling, column: Any) -> Any:
    numpy: Any = sys.modules["numpy"]
    if type(column) is not numpy.ndarray:
        return column
    # Strings may be one object or many; as a list, that does not count.
    return column.tolist() if column.dtype == object else detached(pickling, numpy.array(column, order="C"))


def _reduce_arrow_backed(_pickling: Pickling, array: Any) -> Any:
    return type(array), (array.dtype, _digest_of_values(array._pa_array))


def _reduce_arrow(_pickling: Pickling, array: Any) -> Any:
    return type(array), (str(array.type), _digest_of_values(array))


def _digest_of_values(array: Any) -> tuple[int, str]:
    """Length and hash of what Arrow holds: its buffers may say in one more that nothing is missing."""
    digest = xxhash.xxh3_128()
    for at in range(0, len(array), _ROWS):
        digest.update(pickle.dumps(array.slice(at, _ROWS).to_pylist(), 5))
    return len(array), digest.hexdigest()


#: So many values are made Python's own at a time.
_ROWS = 10_000
