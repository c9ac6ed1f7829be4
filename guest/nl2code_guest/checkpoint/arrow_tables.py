"""pyarrow and polars: tables go out of the stream buffer by buffer, without a copy.

A slice of a large table is copied first: it would take the whole table's memory with it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.references import import_named

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Handler, Pickling

#: What polars hands over to Arrow and takes back as it was. Object is not among them.
_SAME_IN_ARROW = frozenset(
    {
        "Boolean",
        "String",
        "Binary",
        "Date",
        "Datetime",
        "Duration",
        "Time",
        "Null",
        "Decimal",
        "Int128",
        "Categorical",
        "Enum",
    }
    | {f"{kind}{bits}" for kind in ("Int", "UInt", "Float") for bits in (8, 16, 32, 64)}
)


def arrow_handlers() -> tuple[dict[type, Handler], dict[type, Handler]]:
    """The handlers of exact types and of families, for pyarrow."""
    return {}, {sys.modules["pyarrow"].Array: reduce_arrow_array}


def polars_handlers() -> tuple[dict[type, Handler], dict[type, Handler]]:
    """The handlers of exact types and of families, for polars."""
    polars: Any = sys.modules["polars"]
    return {polars.DataFrame: reduce_polars_frame, polars.Series: reduce_polars_series}, {}


def reduce_arrow_array(pickling: Pickling, array: Any) -> Any:
    """As it is, or a copy of the part that a slice shows."""
    if id(array) in pickling.detached or not _is_wasteful(array):
        return NotImplemented
    # Two arrays are always copied, one is not.
    compact = sys.modules["pyarrow"].concat_arrays([array, array.slice(0, 0)])
    pickling.detached[id(compact)] = compact
    return make_itself, (compact,)


def make_itself(value: Any) -> Any:
    """What stands for a slice."""
    return value


def reduce_polars_frame(_pickling: Pickling, frame: Any) -> Any:
    """Through Arrow, which shares the memory of every column."""
    if not all(map(_is_same_in_arrow, frame.dtypes)) or not frame.width:
        return NotImplemented
    return make_polars, (frame.to_arrow(compat_level=_newest()),)


def reduce_polars_series(_pickling: Pickling, series: Any) -> Any:
    """Through Arrow, as a table of one column."""
    if not _is_same_in_arrow(series.dtype):
        return NotImplemented
    return make_polars_series, (series.to_frame().to_arrow(compat_level=_newest()),)


def make_polars(table: Any) -> Any:
    """A frame over the memory of a table."""
    return _polars().from_arrow(table)


def make_polars_series(table: Any) -> Any:
    """The one column of a table."""
    return _polars().from_arrow(table).to_series(0)


def _is_wasteful(array: Any) -> bool:
    try:
        held = sum(buffer.size for buffer in array.buffers() if buffer is not None)
        return bool(held > 1.25 * array.nbytes + 4096)
    except Exception:
        return False


def _is_same_in_arrow(dtype: Any) -> bool:
    name = dtype.base_type().__name__
    if name in ("List", "Array"):
        return _is_same_in_arrow(dtype.inner)
    if name == "Struct":
        return all(_is_same_in_arrow(field.dtype) for field in dtype.fields)
    return name in _SAME_IN_ARROW


def _newest() -> Any:
    # Any other level converts strings, and after a fork that hangs.
    return _polars().CompatLevel.newest()


def _polars() -> Any:
    return import_named("polars")
