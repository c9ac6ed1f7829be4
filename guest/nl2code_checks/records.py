"""Compares JSON and JSON Lines files by their values."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import BinaryIO

from nl2code_checks.difference import Differs, Unreadable, at, first_difference


def compare_json(a: BinaryIO, b: BinaryIO) -> None:
    """Compares two JSON documents: same keys in the same order, same values, numbers to 1e-9.

    Args:
        a: The first run's file.
        b: The second run's file.

    Raises:
        Differs: They hold different values.
        Unreadable: One of them is no JSON.
    """
    x, y = _parsed(a.read(), False), _parsed(b.read(), True)
    if isinstance(x, list) and isinstance(y, list) and len(x) == len(y):
        for row, (p, q) in enumerate(zip(x, y, strict=True), start=1):
            _compare_record(p, q, row)
    else:
        _compare_record(x, y, None)


def compare_json_lines(a: BinaryIO, b: BinaryIO) -> None:
    """Compares two JSON Lines files record by record.

    Args:
        a: The first run's file.
        b: The second run's file.

    Raises:
        Differs: They hold different records.
        Unreadable: A line of them is no JSON.
    """
    for row, (x, y) in enumerate(zip_longest(a, b), start=1):
        if x is None or y is None:
            raise Differs(f"row {row} exists in the {'second' if x is None else 'first'} run only")
        if x.strip() or y.strip():
            _compare_record(_parsed(x, False, row), _parsed(y, True, row), row)


def _compare_record(x: object, y: object, row: int | None) -> None:
    try:
        found = first_difference(x, y)
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    if found is not None:
        path, p, q = found
        raise at(path or None, row, p, q)


def _parsed(raw: bytes, second: bool, row: int | None = None) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{f'row {row}: ' if row else ''}{str(error)[:200]}", second) from error
