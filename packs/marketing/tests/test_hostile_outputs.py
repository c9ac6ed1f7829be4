"""Outputs come out of a sandbox: whatever lies there, a check answers with a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import declared
from conftest import OUTPUT, Data, check
from solutions import answer

Made = Callable[[int], Data]


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _garbage(path: Path) -> None:
    path.write_bytes(b"PAR1" + b"\xff" * 64 + b"\x40\x00\x00\x00PAR1")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(declared.MAX_FILE_BYTES + 1)


def _long(path: Path) -> None:
    pd.DataFrame({"user_id": range(declared.MAX_ROWS + 1)}).to_parquet(path)


def _bomb(path: Path) -> None:
    column = pa.array([b"\0" * (1 << 20)] * 300, type=pa.binary())
    pq.write_table(pa.table({"group": column}), path, use_dictionary=False, compression="zstd")
    assert path.stat().st_size < 1 << 20


def _wide(path: Path) -> None:
    pd.DataFrame({f"c{i}": [1] for i in range(declared.MAX_COLUMNS + 1)}).to_parquet(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_folder, "Is a directory"),
        (_pipe, "is not a regular file"),
        (_link, "cannot be opened as a regular file"),
        (_garbage, "is not a readable Parquet file"),
        (_empty, "is not a readable Parquet file"),
        (_sparse, "at most 67108864 are read"),
        (_long, "at most 1000000 and 100 are read"),
        (_wide, "at most 1000000 and 100 are read"),
        (_bomb, "unpacks to"),
    ],
)
def test_a_hostile_file_fails_the_schema_check(
    made: Made, outputs: Path, make: Callable[[Path], None], words: str
) -> None:
    make(outputs / OUTPUT)
    results = check(made(42), outputs)
    assert [result["ok"] for result in results] == [False] + [None] * 5
    detail = results[0]["detail"]
    assert OUTPUT in detail and words in detail and len(detail) < 300


def test_a_link_to_a_right_answer_is_not_followed(made: Made, outputs: Path, tmp_path: Path) -> None:
    data = made(42)
    answer(data.users(), data.seeds()).to_parquet(tmp_path / "right.parquet")
    (outputs / OUTPUT).symlink_to(tmp_path / "right.parquet")
    assert check(data, outputs)[0]["ok"] is False


def test_a_missing_output_fails_the_schema_check(made: Made, outputs: Path) -> None:
    assert check(made(42), outputs)[0]["detail"] == f"{OUTPUT} was not written"


def test_hostile_text_is_shown_short_and_escaped(made: Made, outputs: Path) -> None:
    data = made(42)
    table = answer(data.users(), data.seeds())
    table.assign(group="\x1b[2J" + "x" * 10_000).to_parquet(outputs / OUTPUT)
    detail = check(data, outputs)[3]["detail"]
    assert "\x1b" not in detail and len(detail) < 200


def test_a_file_that_is_not_declared_fails_the_schema_check(made: Made, outputs: Path) -> None:
    data = made(42)
    answer(data.users(), data.seeds()).to_parquet(outputs / OUTPUT)
    (outputs / "more.csv").write_text("a\n")
    assert check(data, outputs)[0]["ok"] is False
    assert check(data, outputs, declared=["more.csv"])[0]["ok"] is True


def test_inputs_linked_into_the_folder_are_not_outputs(made: Made, outputs: Path) -> None:
    data = made(42)
    answer(data.users(), data.seeds()).to_parquet(outputs / OUTPUT)
    (outputs / "high_value_q1.csv").symlink_to(data.folder / "high_value_q1.csv")
    assert check(data, outputs)[0]["ok"] is True
