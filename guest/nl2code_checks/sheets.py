"""Compares Excel workbooks by their cells."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, BinaryIO
from zipfile import BadZipFile

from nl2code_checks.difference import Differs, Unreadable, at, first_difference
from nl2code_checks.findings import shown


def compare_workbooks(a: BinaryIO, b: BinaryIO) -> None:
    """Compares two ``.xlsx`` files: same sheets, same values cell by cell; formats and dates of saving don't count.

    Args:
        a: The first run's file.
        b: The second run's file.

    Raises:
        Differs: They hold different cells.
        Unreadable: One of them is no workbook.
    """
    x, y = _opened(a, False), _opened(b, True)
    if x.sheetnames != y.sheetnames:
        raise Differs(
            f"sheets are {shown(x.sheetnames, 200)} in the first run, {shown(y.sheetnames, 200)} in the second"
        )
    for name in x.sheetnames:
        rows = zip_longest(x[name].iter_rows(values_only=True), y[name].iter_rows(values_only=True))
        header: tuple[object, ...] = ()
        for number, (p, q) in enumerate(rows):
            if p is None or q is None:
                run = "second" if p is None else "first"
                raise Differs(f"sheet {shown(name)}: line {number + 1} exists in the {run} run only")
            header = p if number == 0 else header
            _compare_row(name, header, number, list(p), list(q))


def _compare_row(sheet: str, header: tuple[object, ...], number: int, p: list[object], q: list[object]) -> None:
    if len(p) != len(q):
        raise Differs(f"sheet {shown(sheet)}, row {number}: {len(p)} cells in the first run, {len(q)} in the second")
    for i, (x, y) in enumerate(zip(p, q, strict=True)):
        if first_difference(x, y) is not None:
            column = str(header[i]) if i < len(header) and header[i] is not None else str(i + 1)
            raise at(column, number, x, y)


def _opened(file: BinaryIO, second: bool) -> Any:
    import openpyxl

    try:
        return openpyxl.load_workbook(file, read_only=True, data_only=False)
    except (BadZipFile, KeyError, ValueError, OSError, SyntaxError, TypeError) as error:
        raise Unreadable(str(error)[:200], second) from error
