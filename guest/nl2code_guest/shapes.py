"""What a shown value is, without what it holds: its type, its size, names and types of columns."""

from __future__ import annotations

import sys
from typing import Any, TypedDict

MAX_COLUMNS = 200
MAX_NAME_CHARS = 120


class Shape(TypedDict, total=False):
    """`size` is rows, or each dimension of an array, or the length of a container."""

    type: str
    size: list[int]
    dtype: str
    columns: list[list[str]]


def shape_of(value: object) -> Shape:
    """The shape of a value. Calls no code of the user's: only types that are known are asked."""
    kind = type(value)
    shape: Shape = {"type": kind.__name__[:MAX_NAME_CHARS]}
    if kind in (str, bytes, list, tuple, dict, set, frozenset):
        shape["size"] = [len(value)]  # type: ignore[arg-type]
        return shape
    table: Any = value
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and kind is getattr(pandas, "DataFrame", None):
        shape["size"] = [int(size) for size in table.shape]
        pairs = zip(table.columns[:MAX_COLUMNS], table.dtypes[:MAX_COLUMNS], strict=False)
        shape["columns"] = [[str(name)[:MAX_NAME_CHARS], str(dtype)[:MAX_NAME_CHARS]] for name, dtype in pairs]
    elif (pandas is not None and kind is getattr(pandas, "Series", None)) or (
        numpy is not None and kind is getattr(numpy, "ndarray", None)
    ):
        shape["size"] = [int(size) for size in table.shape[:8]]
        shape["dtype"] = str(table.dtype)[:MAX_NAME_CHARS]
    return shape


def checked_shape(raw: object) -> Shape | None:
    """What a kernel says of a shape, rebuilt from checked parts; None when it is not of the form."""
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        return None
    shape: Shape = {"type": raw["type"][:MAX_NAME_CHARS]}
    size, dtype, columns = raw.get("size"), raw.get("dtype"), raw.get("columns")
    if isinstance(size, list):
        shape["size"] = [item for item in size[:8] if type(item) is int and 0 <= item < 2**53]
    if isinstance(dtype, str):
        shape["dtype"] = dtype[:MAX_NAME_CHARS]
    if isinstance(columns, list):
        pairs = [pair for pair in columns[:MAX_COLUMNS] if isinstance(pair, list) and len(pair) == 2]
        shape["columns"] = [
            [item[:MAX_NAME_CHARS] for item in pair] for pair in pairs if all(isinstance(item, str) for item in pair)
        ]
    return shape
