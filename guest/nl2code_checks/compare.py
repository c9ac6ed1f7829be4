"""Compares what two runs of a script wrote. Runs in a sandbox that executes no generated code."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, cast

from nl2code_checks.delimited import compare_delimited
from nl2code_checks.difference import Differs, Unreadable
from nl2code_checks.findings import MESSAGE_CHARS, Finding, shown
from nl2code_checks.records import compare_json, compare_json_lines

MAX_FINDINGS: Final = 20
CHUNK: Final = 1 << 20

Compare = Callable[[BinaryIO, BinaryIO], None]


def compare_runs(first: Path, second: Path, names: list[str], others: list[str]) -> list[Finding]:
    """Compares every file of two runs.

    Args:
        first: Folder with the first run's files.
        second: Folder with the second run's files.
        names: Paths of the first run's files, relative to the folder.
        others: Paths of the second run's files.

    Returns:
        Findings ``output-differs`` and ``output-unreadable``, at most ``MAX_FINDINGS``.
    """
    findings: list[Finding] = []
    for name in sorted({*names, *others}):
        if len(findings) == MAX_FINDINGS:
            break
        if name not in names or name not in others:
            run = "first" if name in names else "second"
            findings.append(
                Finding(
                    code="output-differs", path=name, message=f"{shown(name, 200)} is written in the {run} run only."
                )
            )
            continue
        finding = compare_files(first / name, second / name, name)
        if finding is not None:
            findings.append(finding)
    return findings


def compare_files(a: Path, b: Path, name: str) -> Finding | None:
    """Compares one file of two runs by what its name says it is.

    Args:
        a: The first run's file.
        b: The second run's file.
        name: Path the script gave it.

    Returns:
        A finding, or None when both hold the same.
    """
    try:
        with a.open("rb") as x, b.open("rb") as y:
            _compare(name.lower(), x, y)
    except Differs as error:
        return Finding(
            code="output-differs",
            path=name,
            message=f"{shown(name, 200)} differs between two runs: {error}."[:MESSAGE_CHARS],
        )
    except Unreadable as error:
        run = "second" if error.second else "first"
        return Finding(
            code="output-unreadable",
            path=name,
            message=f"{shown(name, 200)} of the {run} run can't be read: {error}."[:MESSAGE_CHARS],
        )
    except MemoryError:
        return Finding(
            code="output-unreadable",
            path=name,
            message=f"{shown(name, 200)} is too large to be compared in the sandbox's memory.",
        )
    # A decoder may raise anything over bytes that were made to break it; that is the file's fault.
    except Exception as error:
        why = f"{type(error).__name__}: {str(error)[:200]}"
        return Finding(
            code="output-unreadable", path=name, message=f"{shown(name, 200)} can't be read: {why}."[:MESSAGE_CHARS]
        )
    return None


def _compare(name: str, x: BinaryIO, y: BinaryIO) -> None:
    if name.endswith(".gz") and _kind(name[:-3]) is not compare_bytes:
        try:
            with gzip.open(x) as p, gzip.open(y) as q:
                _kind(name[:-3])(cast(BinaryIO, p), cast(BinaryIO, q))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise Unreadable(str(error)[:200]) from error
        return
    _kind(name)(x, y)


def _kind(name: str) -> Compare:
    ending = name.rpartition(".")[2]
    # Imports wait for the first file of their kind: most scripts write one or two kinds.
    if ending in {"parquet", "pq"}:
        from nl2code_checks.columns import compare_parquet

        return compare_parquet
    if ending in {"feather", "arrow"}:
        from nl2code_checks.columns import compare_feather

        return compare_feather
    if ending in {"png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp"}:
        from nl2code_checks.images import compare_images

        return compare_images
    if ending in {"xlsx", "xlsm"}:
        from nl2code_checks.sheets import compare_workbooks

        return compare_workbooks
    if ending in {"csv", "tsv"}:
        return lambda x, y: compare_delimited(x, y, name)
    if ending in {"json", "geojson"}:
        return compare_json
    if ending in {"jsonl", "ndjson"}:
        return compare_json_lines
    if ending in {
        "txt",
        "md",
        "html",
        "htm",
        "svg",
        "xml",
        "log",
        "sql",
        "py",
        "yaml",
        "yml",
        "ini",
        "toml",
        "tex",
        "rst",
    }:
        return compare_text
    return compare_bytes


def compare_text(x: BinaryIO, y: BinaryIO) -> None:
    """Compares two text files byte by byte and names the first line that differs.

    Args:
        x: The first run's file.
        y: The second run's file.

    Raises:
        Differs: A byte differs.
    """
    number = 0
    while True:
        number += 1
        p, q = x.readline(CHUNK), y.readline(CHUNK)
        if p != q:
            texts = [
                shown(raw[:200].decode("utf-8", "replace").rstrip("\r\n"), 80) if raw else "nothing" for raw in (p, q)
            ]
            raise Differs(f"line {number} is {texts[0]} in the first run, {texts[1]} in the second")
        if not p:
            return


def compare_bytes(x: BinaryIO, y: BinaryIO) -> None:
    """Compares two files byte by byte.

    Args:
        x: The first run's file.
        y: The second run's file.

    Raises:
        Differs: A byte differs.
    """
    offset = 0
    while True:
        p, q = x.read(CHUNK), y.read(CHUNK)
        if p != q:
            step = next((i for i, (u, v) in enumerate(zip(p, q, strict=False)) if u != v), min(len(p), len(q)))
            raise Differs(f"byte {offset + step} is the first that differs")
        if not p:
            return
        offset += len(p)
