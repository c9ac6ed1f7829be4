"""What is noted of the inputs for the host: kinds of columns, bounded, and nothing in clear that should not be."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nl2code_guest.inspection import report
from nl2code_guest.sensitive_columns import holds, id_digits
from nl2code_guest.shapes import checked_shape, shape_of
from nl2code_guest.word_hashes import VALUE, WordTable, words_of


def note(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: str) -> dict[str, Any]:
    inputs, checkpoint = folder / "inputs", folder / "checkpoint"
    inputs.mkdir()
    checkpoint.mkdir()
    for name, content in files.items():
        (inputs / name.replace("_dot_", ".")).write_text(content, encoding="utf-8")
    monkeypatch.setenv("NL2CODE_INPUTS", str(inputs))
    monkeypatch.setenv("NL2CODE_CHECKPOINT", str(checkpoint))
    report(keep_sensitive=True)
    assert [path.name for path in checkpoint.iterdir()] == ["sensitive.json"]
    held: dict[str, Any] = json.loads((checkpoint / "sensitive.json").read_text())
    return held


@pytest.mark.parametrize(
    ("kind", "header", "values", "rows"),
    [
        ("email", "x", ["a@b.org", "c.d@e.example"], 2),
        ("name", "full_name", ["Ann", "Bo"], 400),
        ("name", "x", ["Ann Lee", "Bo Ek", "Cy Dee"], 3),
        ("phone", "x", ["+49 170 1234567", "0170-1234568"], 2),
        ("address", "home_address", ["1 Elm Street"], 1),
        ("text", "remark", ["late"], 50),
        ("text", "x", [f"this is a sentence about case {i}" for i in range(9)], 9),
        ("id", "x", [f"AB-{i}" for i in range(900)], 900),
        ("id", "x", ["004930184756", "004930184757"], 2),
        ("category", "market", ["EU", "UK"], 4),
        ("category", "city_name", ["Paris", "Rome", "Oslo"], 60),
        ("text", "market", ["EU", "UK"], 2),
        (None, "day", ["2024-01-31", "2024-02-01"], 2),
        (None, "amount", ["1,5", "22,75"], 2),
    ],
)
def test_a_column_is_told_by_its_values_and_its_name(
    kind: str | None, header: str, values: list[str], rows: int
) -> None:
    assert holds(values, rows, header) == kind


def test_whole_numbers_are_ids_when_all_of_them_are_long() -> None:
    assert id_digits(pd.Series([4_930_184_756_201, 4_930_184_756_201]), "x") == {13}
    assert id_digits(pd.Series([4_930_184_756_201, np.nan]), "x") == {13}
    assert id_digits(pd.Series([12, 4_930_184_756]), "revenue") == set()
    assert id_digits(pd.Series([5_550_101]), "mobile") == {7}
    assert id_digits(pd.Series([0.5, 1e12]), "x") == set()


def test_what_is_noted_holds_categories_and_headers_in_clear_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "\n".join(f"Ann{i} Lee{i},a{i}@b.org,note about {i},EU,1.5" for i in range(20))
    held = note(
        tmp_path, monkeypatch, people_dot_csv=f"who,mail,remark,market,x\n{rows}\n", log_dot_log="seen Ann1 Lee1\n"
    )
    assert held["categories"] == ["EU"]
    assert [column["name"] for column in held["parts"][1]["columns"]] == ["who", "mail", "remark", "market", "x"]
    assert "Ann" not in json.dumps(held)
    keys = np.frombuffer(base64.b64decode(held["keys"]), dtype="<f8")
    table = WordTable()
    assert table.keys(VALUE, [table.ids(words_of("ANN3  lee3"))])[0] in keys
    assert len(base64.b64decode(held["kindOf"])) == len(keys)
    assert (np.diff(keys) > 0).all()


def test_free_text_is_noted_up_to_a_bound_that_leaves_room_for_names_and_the_rest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nl2code_guest.sensitive._MAX_TEXT_ENTRIES", 200)
    monkeypatch.setattr("nl2code_guest.sensitive._MAX_ENTRIES", 400)
    rows = "\n".join(f"this is what was said about case {i} by nobody{i},Ann{i} Lee{i}" for i in range(90))
    held = note(tmp_path, monkeypatch, notes_dot_csv=f"remark,who\n{rows}\n", few_dot_csv="who\nBo Ek\n")
    keys = np.frombuffer(base64.b64decode(held["keys"]), dtype="<f8")
    assert len(keys) <= 400
    table = WordTable()
    known = [table.keys(VALUE, [table.ids([f"ann{i}", f"lee{i}"])])[0] in keys for i in range(90)]
    assert known[0]
    assert not known[-1]
    assert held["partial"] == ["notes.csv"]
    assert "\nToo large to be noted whole for masking: notes.csv. Words of the rest " in capsys.readouterr().out


def test_what_is_noted_of_texts_without_end_is_what_the_host_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nl2code_guest.sensitive._SECONDS", 600.0)
    words = [f"{a}{b}" for a in ("ba", "do", "fi", "gu") for b in range(25_000)]
    lines = "\n".join(" ".join(words[(i * 7919 + j * j) % len(words)] for j in range(900)) for i in range(4_000))
    note(tmp_path, monkeypatch, novel_dot_txt=lines)
    assert 12_000_000 < (tmp_path / "checkpoint" / "sensitive.json").stat().st_size < 32 << 20


def test_a_header_that_is_data_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = note(tmp_path, monkeypatch, people_dot_csv="ann@b.org,4930184756201,x\nbo@b.org,4930184756202,y\n")
    assert [column["name"] for column in held["parts"][0]["columns"]] == [None, None, "x"]


def test_files_that_can_not_be_looked_at_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = note(tmp_path, monkeypatch, broken_dot_json='{"a": ', good_dot_json='{"a": ["Ann Lee"]}')
    assert held["unread"] == ["broken.json"]


def test_a_shape_says_what_a_value_is_and_nothing_of_what_it_holds() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["Ann", "Bo"]})
    shape = shape_of(frame)
    assert shape["type"] == "DataFrame"
    assert shape["size"] == [2, 2]
    assert [name for name, _ in shape["columns"]] == ["a", "b"]
    assert shape_of(["Ann"]) == {"type": "list", "size": [1]}
    assert shape_of("Ann") == {"type": "str", "size": [3]}
    assert shape_of(np.zeros((2, 3))) == {"type": "ndarray", "size": [2, 3], "dtype": "float64"}


def test_a_shape_of_a_hostile_kernel_is_rebuilt_from_checked_parts() -> None:
    assert checked_shape({"type": 3}) is None
    assert checked_shape(
        {"type": "x" * 999, "size": [1, -1, "2", True], "columns": [["a"], ["a", "b"], 3], "more": 1}
    ) == {
        "type": "x" * 120,
        "size": [1],
        "columns": [["a", "b"]],
    }
