"""Laws of the checks that a request agrees on: each kind passes, fails with what was found, and breaks on no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nl2code_checks.acceptance import KINDS, Answer, run_acceptance

AUDIENCE = pd.DataFrame(
    {
        "user id": [1, 2, 3, 4, 5],
        "score": [0.9, 0.8, 0.7, 0.7, 0.1],
        "rank": [1, 2, 3, 4, 5],
        "group": ["target", "target", "target", "target", "holdout"],
        "note": ["a", None, "b", "b", "c"],
        "ok": [True, True, True, True, False],
    }
)
KINDS_OF_FILE = ["a.parquet", "a.csv", "a.tsv", "a.feather", "a.jsonl", "a.json", "a.xlsx"]


def write(frame: pd.DataFrame, path: Path) -> None:
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path)
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, sep="\t", index=False)
        case ".feather":
            frame.to_feather(path)
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
        case ".json":
            frame.to_json(path, orient="records")
        case ".xlsx":
            frame.to_excel(path, index=False)


def ask(folder: Path, output: str = "a.parquet", **check: Any) -> Answer:
    (folder / "seeds.csv").write_text("id;name\n1;x\n9;y\n")
    pd.DataFrame({"id": range(1, 8)}).to_parquet(folder / "users.parquet")
    return run_acceptance(folder, folder, [{"output": output, **check}])[0]


PASSES: list[tuple[dict[str, Any], str]] = [
    ({"kind": "rows", "equals": 5}, "5 rows"),
    ({"kind": "rows", "min": 1, "max": 5}, "5 rows"),
    ({"kind": "columns", "columns": ["user id", "score"]}, "there"),
    ({"kind": "unique", "columns": ["user id"]}, "5 rows, none repeats"),
    ({"kind": "unique", "columns": ["score", "rank"]}, "5 rows, none repeats"),
    ({"kind": "no-nulls", "columns": ["user id", "group"]}, "none empty"),
    ({"kind": "values", "column": "group", "values": ["target", "holdout"]}, "5 rows, no other value"),
    ({"kind": "values", "column": "rank", "values": [1, 2, 3, "4", 5.0]}, "5 rows, no other value"),
    ({"kind": "count", "column": "group", "value": "holdout", "equals": 1}, "1 of 5 rows"),
    ({"kind": "count", "column": "ok", "value": True, "equals": 4}, "4 of 5 rows"),
    ({"kind": "share", "column": "group", "value": "holdout", "equals": 0.2}, "1 of 5 rows, 20.0000%"),
    # Not every share is a whole number of rows.
    ({"kind": "share", "column": "group", "value": "holdout", "equals": 0.3}, "1 of 5 rows, 20.0000%"),
    ({"kind": "numbers", "column": "score", "min": 0, "max": 1}, "0.1 to 0.9"),
    ({"kind": "sum", "column": "rank", "equals": 15}, "15"),
    ({"kind": "sum", "column": "score", "equals": 3.2}, "3.2"),
    ({"kind": "disjoint", "column": "rank", "input": "seeds.csv", "inputColumn": "name"}, "none of 5 values"),
    ({"kind": "within", "column": "user id", "input": "users.parquet", "inputColumn": "id"}, "all 5 values"),
    ({"kind": "sorted", "columns": ["score"], "order": "descending"}, "5 rows in order"),
    ({"kind": "sorted", "columns": ["group", "score"], "order": "descending"}, "5 rows in order"),
]

FAILS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "rows", "equals": 6}, "5 rows"),
    ({"kind": "rows", "max": 4}, "5 rows"),
    ({"kind": "columns", "columns": ["user id", "segment"]}, "no 'segment'; there are ['user id', 'score'"),
    ({"kind": "unique", "columns": ["score"]}, "1 rows repeat an earlier one, e.g. 0.7"),
    ({"kind": "no-nulls", "columns": ["note"]}, "empty: 1 in 'note'"),
    ({"kind": "values", "column": "group", "values": ["target"]}, "1 rows hold something else, e.g. 'holdout'"),
    ({"kind": "count", "column": "group", "value": "holdout", "equals": 2}, "1 of 5 rows"),
    ({"kind": "share", "column": "group", "value": "holdout", "equals": 0.4}, "1 of 5 rows, 20.0000%"),
    ({"kind": "share", "column": "group", "value": "holdout", "min": 0.21}, "1 of 5 rows, 20.0000%"),
    ({"kind": "numbers", "column": "score", "max": 0.5}, "0.1 to 0.9"),
    ({"kind": "numbers", "column": "note"}, "no numbers"),
    ({"kind": "sum", "column": "rank", "equals": 16}, "15"),
    ({"kind": "disjoint", "column": "user id", "input": "seeds.csv", "inputColumn": "id"}, "1 of 5 values are, e.g."),
    ({"kind": "within", "column": "user id", "input": "seeds.csv", "inputColumn": "id"}, "4 of 5 values are not, e.g."),
    (
        {"kind": "within", "column": "note", "input": "users.parquet", "inputColumn": "id"},
        "5 of 5 values are not, e.g.",
    ),
    ({"kind": "sorted", "columns": ["score"], "order": "ascending"}, "row 1 is out of order: [0.9]"),
    ({"kind": "rows", "output": "none.csv", "equals": 1}, "the file was not written"),
    ({"kind": "rows", "output": "seeds.pdf", "equals": 1}, "the file was not written"),
]


def test_every_kind_passes_and_fails_in_these_laws() -> None:
    assert {check["kind"] for check, _ in PASSES} == {check["kind"] for check, _ in FAILS} == set(KINDS)


@pytest.mark.parametrize(("check", "found"), PASSES)
def test_an_output_that_keeps_a_check_passes_with_what_was_found(
    tmp_path: Path, check: dict[str, Any], found: str
) -> None:
    write(AUDIENCE, tmp_path / "a.parquet")
    assert ask(tmp_path, **check) == {"ok": True, "found": found}


@pytest.mark.parametrize(("check", "found"), FAILS)
def test_an_output_that_does_not_fails_with_what_was_found(tmp_path: Path, check: dict[str, Any], found: str) -> None:
    write(AUDIENCE, tmp_path / "a.parquet")
    answer = ask(tmp_path, **check)
    assert answer["ok"] is False
    assert found in answer["found"]


@pytest.mark.parametrize("name", KINDS_OF_FILE)
def test_every_format_is_held_to_the_same_checks(tmp_path: Path, name: str) -> None:
    write(AUDIENCE, tmp_path / name)
    (tmp_path / "seeds.csv").write_text("id;name\n1;x\n9;y\n")
    pd.DataFrame({"id": range(1, 8)}).to_parquet(tmp_path / "users.parquet")
    for checks, ok in ((PASSES, True), ([fail for fail in FAILS if "output" not in fail[0]], False)):
        answers = run_acceptance(tmp_path, tmp_path, [{"output": name, **check} for check, _ in checks])
        assert [answer for answer in answers if answer["ok"] is not ok] == []


def test_numbers_that_are_empty_or_infinite_are_no_numbers(tmp_path: Path) -> None:
    write(pd.DataFrame({"score": [1.0, float("nan"), float("inf")]}), tmp_path / "a.parquet")
    found = "2 of 3 values are empty or not finite"
    assert ask(tmp_path, kind="numbers", column="score") == {"ok": False, "found": found}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"PAR1" + b"\xff" * 64),
        ("a.csv", b"a,b\n" + b'"' * 5000 + b"\n1,2,3,4\n"),
        ("a.csv", b""),
        ("a.json", b"[" * 50_000),
        ("a.jsonl", b'{"a": 1}\nnonsense'),
        ("a.xlsx", b"PK\x03\x04nothing"),
        ("a.feather", b""),
        ("a.png", b"\x89PNG"),
    ],
)
def test_a_broken_file_fails_the_check_and_breaks_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    answer = ask(tmp_path, output=name, kind="rows", equals=3)
    assert answer["ok"] is False
    assert answer["found"]


def test_an_empty_table_keeps_no_share(tmp_path: Path) -> None:
    write(AUDIENCE.head(0), tmp_path / "a.parquet")
    share = ask(tmp_path, kind="share", column="group", value="holdout", max=0.5)
    assert share == {"ok": False, "found": "there are no rows"}


def test_a_check_of_an_input_that_is_not_as_the_plan_took_it_is_not_run(tmp_path: Path) -> None:
    write(AUDIENCE, tmp_path / "a.parquet")
    answer = ask(tmp_path, kind="disjoint", column="rank", input="seeds.csv", inputColumn="user")
    assert answer["ok"] is None
    assert "has no column 'user'; it has ['id', 'name']" in answer["found"]
