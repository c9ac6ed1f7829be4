"""What comparing two files can say, and when two numbers count as equal."""

from __future__ import annotations

import math
from typing import Final

from nl2code_checks.findings import shown

RELATIVE: Final = 1e-9


class Differs(Exception):
    """The two files hold different things; the message says where the first difference is."""


class Unreadable(Exception):
    """A file can't be decoded as what its name says; the message says why."""

    def __init__(self, why: str, second: bool = False) -> None:
        """Keeps the reason, and whether it is the second run's file."""
        super().__init__(why)
        self.second = second


def close(a: float, b: float) -> bool:
    """Whether two numbers are equal to 1e-9 relative; NaN equals NaN."""
    return a == b or math.isclose(a, b, rel_tol=RELATIVE) or (math.isnan(a) and math.isnan(b))


def at(column: str | None, row: int | None, a: object, b: object) -> Differs:
    """Phrases a difference of values: where it is, and both sides.

    Args:
        column: Name or path of the column, None when the file has none.
        row: Number of the data row from 1, None when the difference has no row.
        a: Value of the first run.
        b: Value of the second run.
    """
    places = [f"column {shown(column)}"] if column is not None else []
    places += [f"row {row}"] if row is not None else []
    where = f"{', '.join(places)}: " if places else ""
    return Differs(f"{where}{shown(a)} in the first run, {shown(b)} in the second")


def first_difference(a: object, b: object, path: str = "") -> tuple[str, object, object] | None:
    """Finds the first place where two decoded JSON-like values differ, keys in order.

    Args:
        a: Value of the first run.
        b: Value of the second run.
        path: Where the two stand, for the answer.

    Returns:
        Path and both values, or None when they are equal.
    """
    numbers = (int, float)
    if isinstance(a, bool) or isinstance(b, bool):
        return None if a is b else (path, a, b)
    if isinstance(a, int) and isinstance(b, int):
        return None if a == b else (path, a, b)
    if isinstance(a, numbers) and isinstance(b, numbers) and type(a) is type(b):
        return None if close(a, b) else (path, a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            return (f"{path} keys".strip(), list(a), list(b))
        pairs = [(f"{path}.{key}" if path else str(key), a[key], b[key]) for key in a]
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return (f"{path} length".strip(), len(a), len(b))
        pairs = [(f"{path}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
    else:
        return None if type(a) is type(b) and a == b else (path, a, b)
    return next((found for p, x, y in pairs if (found := first_difference(x, y, p)) is not None), None)
