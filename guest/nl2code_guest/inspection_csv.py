"""How a CSV file is written: delimiter, encoding, preamble, decimal comma; as arguments of `pd.read_csv`."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

_SAMPLE_BYTES = 256 << 10
_SAMPLE_LINES = 60
_DELIMITERS = (",", ";", "\t", "|")
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_CHECKED_BYTES = 512 << 20


@dataclass
class CsvShape:
    """What `pd.read_csv` must be told."""

    kind: str
    options: dict[str, Any]
    notes: list[str]
    #: Lines before the first row.
    header_lines: int


def sniff_csv(path: str) -> CsvShape:
    """Reads the start of the file for its shape and all of it for its encoding."""
    encoding, said = _encoding(path)
    with open(path, "rb") as file:
        data = file.read(_SAMPLE_BYTES)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(data)
    lines = text.splitlines()
    # The last line of a sample may be cut.
    lines = (lines[:-1] if len(data) == _SAMPLE_BYTES else lines)[:_SAMPLE_LINES]
    delimiter, fields = _delimiter(lines)
    options: dict[str, Any] = {}
    notes: list[str] = []
    if delimiter != ",":
        options["sep"] = delimiter
    if encoding != "utf-8":
        options["encoding"] = encoding
    skipped = _preamble(lines, delimiter, fields)
    if skipped:
        options["skiprows"] = skipped
        notes.append(f"The first {skipped} line{'s are' if skipped > 1 else ' is'} no part of the table.")
    header = _fields(lines[skipped], delimiter) if len(lines) > skipped else []
    if header and all(re.fullmatch(r"\s*-?\d+([.,]\d+)?\s*", name) for name in header):
        options["header"] = None
        notes.append("It has no header: the first line is data.")
    return CsvShape(f"CSV, {_NAMES[delimiter]}, {said}", options, notes, skipped + ("header" not in options))


def _encoding(path: str) -> tuple[str, str]:
    with open(path, "rb") as file:
        start = file.read(4)
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig", "UTF-8 with BOM"
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", "UTF-16"
        file.seek(0)
        if wide := wide_without_mark(file.read(_SAMPLE_BYTES)):
            return wide, "UTF-16 without BOM"
        file.seek(0)
        checks = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "cp1252")}
        left = _CHECKED_BYTES
        while checks and left > 0 and (block := file.read(1 << 22)):
            left -= len(block)
            for name in list(checks):
                try:
                    checks[name].decode(block, final=False)
                except UnicodeDecodeError:
                    del checks[name]
    if "utf-8" in checks:
        return "utf-8", "UTF-8"
    return ("cp1252", "Windows-1252") if "cp1252" in checks else ("latin-1", "Latin-1")


def wide_without_mark(data: bytes) -> str:
    """The UTF-16 whose zero bytes all stand on one side, as those of ASCII do; "" for everything else."""
    half = len(data) // 2
    even, odd = data[: 2 * half : 2].count(0), data[1 : 2 * half : 2].count(0)
    if odd > half * 0.4 and even < half * 0.01:
        return "utf-16-le"
    return "utf-16-be" if even > half * 0.4 and odd < half * 0.01 else ""


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return line.split(delimiter)


def _delimiter(lines: list[str]) -> tuple[str, int]:
    """The delimiter under which most lines have one and the same number of fields above one."""
    best, best_score, best_fields = ",", 0.0, 1
    for delimiter in _DELIMITERS:
        counts = Counter(len(_fields(line, delimiter)) for line in lines if line.strip())
        wide = {fields: count for fields, count in counts.items() if fields > 1}
        if not wide:
            continue
        fields, count = max(wide.items(), key=lambda item: (item[1], item[0]))
        score = count / sum(counts.values()) + min(fields, 50) / 1000
        if score > best_score:
            best, best_score, best_fields = delimiter, score, fields
    return best, best_fields


def _preamble(lines: list[str], delimiter: str, fields: int) -> int:
    """Lines before the first one as wide as the table."""
    if fields < 2:
        return 0
    for number, line in enumerate(lines[:20]):
        if len(_fields(line, delimiter)) == fields:
            return number
    return 0


def decimals_of(table: Any, delimiter: str) -> dict[str, str]:
    """`decimal` (and `thousands`) when text columns hold numbers with a decimal comma."""
    if delimiter == ",":
        return {}
    for column in table.columns:
        values = table[column]
        if values.dtype.kind in "iufbM":
            continue
        sample = [str(value).strip() for value in values.dropna().head(200)]
        if sample and all(re.fullmatch(r"-?\d{1,3}(\.\d{3})+,\d+|-?\d+,\d+|-?\d+", value) for value in sample):
            if any(re.search(r"\.\d{3},", value) for value in sample):
                return {"decimal": ",", "thousands": "."}
            if any("," in value for value in sample):
                return {"decimal": ","}
    return {}
