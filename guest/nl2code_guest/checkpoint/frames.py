"""pandas: every object gets memory of its own, whatever it shared.

That is what its values mean: a write to a column taken from a frame does not reach the frame. While they live, pandas
keeps books on who shares what and copies before a write; the books are not saved, so nothing may be shared afterwards.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.arrays import detached

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Handler, Pickling

#: More chunks than this are put together when they are small: each costs its own buffers.
_MANY_CHUNKS = 16
_SMALL_CHUNK_BYTES = 1 << 20


def handlers() -> tuple[dict[type, Handler], dict[type, Handler]]:
    """The handlers of exact types and of families, for pandas."""
    pandas: Any = sys.modules["pandas"]
    internals: Any = sys.modules["pandas.core.internals.managers"]
    families = {
        pandas._libs.internals.Block: reduce_block,
        internals.SingleBlockManager: reduce_series_manager,
        pandas.Index: reduce_parts,
        pandas._libs.sparse.SparseIndex: reduce_parts,
        pandas.api.extensions.ExtensionDtype: reduce_dtype,
        pandas.api.extensions.ExtensionArray: reduce_parts,
    }
    arrow: Any = sys.modules["pandas.core.arrays.arrow.array"]
    if "pyarrow" in sys.modules:
        families[arrow.ArrowExtensionArray] = reduce_arrow_backed
    return {}, families


def reduce_block(pickling: Pickling, block: Any) -> Any:
    """A block with values of its own."""
    make, arguments = block.__reduce__()
    return make, tuple(_apart(pickling, part, 1) for part in arguments)


def reduce_series_manager(_pickling: Pickling, manager: Any) -> Any:
    """The one block of a Series, as pandas writes those of a frame; its own way writes the values beside the block."""
    return type(manager), (manager.blocks[0], manager.axes[0])


def reduce_parts(pickling: Pickling, value: Any) -> Any:
    """As pandas does it, with memory of its own."""
    return tuple(_apart(pickling, part, 4) for part in value.__reduce_ex__(5))


def reduce_dtype(pickling: Pickling, dtype: Any) -> Any:
    """As pandas does it. Frames that share a dtype, and with it their categories, are not one variable for that."""
    state = getattr(dtype, "__dict__", {})
    for part in (state, *state.values(), getattr(dtype, "categories", None)):
        pickling.constants.add(id(part))
    return NotImplemented


def reduce_arrow_backed(_pickling: Pickling, array: Any) -> Any:
    """The chunks as they are. pandas puts them together first, which copies them all."""
    chunked = array._pa_array
    if chunked.num_chunks > _MANY_CHUNKS and chunked.nbytes < chunked.num_chunks * _SMALL_CHUNK_BYTES:
        chunked = sys.modules["pyarrow"].chunked_array([chunked.combine_chunks()])
    state = {**array.__dict__, "_pa_array": chunked, "_cache": {}}
    return make_arrow_backed, (type(array),), state, None, None, set_arrow_backed


def make_arrow_backed(kind_of: Any) -> Any:
    """An array without its data."""
    return kind_of.__new__(kind_of)


def set_arrow_backed(array: Any, state: dict[str, Any]) -> None:
    """The data of an array that Arrow holds."""
    array.__dict__.update(state)


def _apart(pickling: Pickling, value: Any, depth: int) -> Any:
    """The same parts, with other arrays over the same memory in the place of arrays."""
    kind_of = type(value)
    if kind_of is sys.modules["numpy"].ndarray:
        return detached(pickling, value)
    if isinstance(value, sys.modules["pandas"].api.extensions.ExtensionArray):
        return value.view()
    if depth and kind_of in (tuple, list):
        return kind_of([_apart(pickling, part, depth - 1) for part in value])
    if depth and kind_of is dict:
        return {name: _apart(pickling, part, depth - 1) for name, part in value.items()}
    return value
