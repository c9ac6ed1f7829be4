"""Compares CSV and TSV files row by row, without holding them in memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest
from typing import BinaryIO

from nl2code_checks.difference import Differs, Unreadable, at, close
from nl2code_checks.findings import shown

FIELD_CHARS = 16 << 20


def compare_delimited(a: BinaryIO, b: BinaryIO, name: str) -> None:
    """Compares two delimited files: same columns, same rows in the same order, numbers to 1e-9.

    Args:
        a: The first run's file.
        b: The second run's file.
        name: File name; its ending chooses the delimiter where the header leaves a doubt.

    Raises:
        Differs: They hold different tables.
        Unreadable: One of them is no delimited text.
    """
    csv.field_size_limit(FIELD_CHARS)
    with ExitStack() as files:
        first, second = (files.enter_context(_decoded(file)) for file in (a, b))
        header_line = first.readline()
        first.seek(0)
        delimiter = _delimiter(header_line, name)
        rows = zip_longest(_rows(first, delimiter, False), _rows(second, delimiter, True))
        header: list[str] = []
        for row, (x, y) in enumerate(rows):
            if x is None or y is None:
                more = 1 + sum(1 for _ in rows)
                raise Differs(f"the {'second' if x is None else 'first'} run has {more} more row(s), from row {row}")
            if row == 0:
                header = x
                if x != y:
                    raise Differs(f"columns are {shown(x, 200)} in the first run, {shown(y, 200)} in the second")
            elif x != y:
                _compare_row(header, row, x, y)


def _compare_row(header: list[str], row: int, x: list[str], y: list[str]) -> None:
    if len(x) != len(y):
        raise Differs(f"row {row}: {len(x)} cells in the first run, {len(y)} in the second")
    for i, (p, q) in enumerate(zip(x, y, strict=True)):
        if p != q and not _equal_numbers(p, q):
            raise at(header[i] if i < len(header) else str(i + 1), row, p, q)


def _equal_numbers(p: str, q: str) -> bool:
    # Whole numbers are equal as text or not at all: long ids differ in their last digit.
    if p.lstrip("+-").isdigit() and q.lstrip("+-").isdigit():
        return False
    try:
        return close(float(p), float(q))
    except ValueError:
        return False


def _decoded(file: BinaryIO) -> io.TextIOWrapper:
    start = file.read(4)
    file.seek(0)
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")


def _rows(text: io.TextIOWrapper, delimiter: str, second: bool) -> Iterator[list[str]]:
    try:
        yield from csv.reader(text, delimiter=delimiter)
    except (csv.Error, UnicodeError) as error:
        raise Unreadable(str(error), second) from error


def _delimiter(header: str, name: str) -> str:
    if ".tsv" in name.lower():
        return "\t"
    return max(",;\t|", key=lambda mark: (header.count(mark), mark == ","))
