"""Reads a table by what its name says it is. Runs in a sandbox that executes no generated code; files are hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from nl2code_guest.inspection_csv import sniff_csv

MAX_BYTES: Final = 1 << 30


class NoTable(Exception):
    """The file can't be read as a table; the message says why, after the file's name."""


def read_frame(folder: Path, name: str) -> pd.DataFrame:
    """Reads one table.

    Args:
        folder: Where it stands.
        name: Its path there.

    Returns:
        Its rows, columns named by text.

    Raises:
        NoTable: There is no such file, it is no table, or it can't be read.
    """
    path = folder / name
    if ".." in path.parts or Path(name).is_absolute() or not path.is_file():
        raise NoTable("was not written")
    if path.stat().st_size > MAX_BYTES:
        raise NoTable(f"has more than {MAX_BYTES} bytes")
    try:
        frame = _read(path, name.lower())
    except NoTable:
        raise
    # A decoder may raise anything over bytes that were made to break it; that is the file's fault.
    except (Exception, MemoryError) as error:
        raise NoTable(f"can't be read ({type(error).__name__}: {str(error)[:200]})") from error
    frame.columns = pd.Index([str(column) for column in frame.columns], dtype=object)
    return frame


def _read(path: Path, name: str) -> pd.DataFrame:
    if name.endswith((".csv", ".tsv", ".csv.gz", ".tsv.gz", ".txt")):
        if path.stat().st_size == 0:
            raise NoTable("is empty")
        if name.endswith(".gz"):
            return pd.read_csv(path, sep="\t" if name.endswith(".tsv.gz") else ",")
        return pd.read_csv(path, **sniff_csv(str(path)).options)
    if name.endswith((".parquet", ".pq")):
        return pd.read_parquet(path)
    if name.endswith((".feather", ".arrow")):
        return pd.read_feather(path)
    if name.endswith((".jsonl", ".ndjson")):
        return pd.read_json(path, lines=True)
    if name.endswith(".json"):
        return pd.read_json(path, orient="records")
    if name.endswith((".xlsx", ".xlsm")):
        return pd.read_excel(path, engine="openpyxl")
    raise NoTable("is no table by its name: CSV, Parquet, Feather, JSON and Excel are read")
