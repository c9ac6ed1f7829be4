"""Laws of what changed against an earlier request: in numbers, by key where there is one, and never an exception."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nl2code_checks import table_reading
from nl2code_checks.changes import MAX_VALUES, Change, output_changes
from nl2code_checks.table_changes import TableChange


class Pair:
    """Outputs of two requests."""

    def __init__(self, folder: Path) -> None:
        """Makes the two folders."""
        self.before, self.after = folder / "a", folder / "b"
        self.before.mkdir()
        self.after.mkdir()

    def changes(self, keys: dict[str, str] | None = None) -> list[Change]:
        """Compares everything that stands in them."""
        names = [sorted(path.name for path in folder.iterdir()) for folder in (self.before, self.after)]
        return output_changes(self.before, self.after, names[0], names[1], keys or {})

    def only(self, name: str, a: bytes, b: bytes) -> Change:
        """Writes both sides of one file and compares them."""
        (self.before / name).write_bytes(a)
        (self.after / name).write_bytes(b)
        return next(change for change in self.changes() if change["path"] == name)

    def tables(self, a: Any, b: Any, key: str | None = None) -> TableChange:
        """Writes two tables and compares them."""
        pd.DataFrame(a).to_parquet(self.before / "t.parquet", index=False)
        pd.DataFrame(b).to_parquet(self.after / "t.parquet", index=False)
        (change,) = self.changes({"t.parquet": key} if key else {})
        assert change["kind"] == "table", change
        json.dumps(change)
        return change["table"]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def audience(ids: range, held: int) -> pd.DataFrame:
    size = len(ids)
    group = ["holdout" if i < held else "target" for i in range(size)]
    scores = np.linspace(1, 0.5, size)
    return pd.DataFrame({"user_id": ids, "score": scores, "rank": range(1, size + 1), "group": group})


def test_who_left_and_who_came_is_counted_by_the_key_and_what_moved_group_by_value(pair: Pair) -> None:
    change = pair.tables(audience(range(1000), 200), audience(range(1000), 100), "user_id")
    assert (change["rows"], change["key"], change["left"], change["came"]) == ((1000, 1000), ["user_id"], 0, 0)
    assert (change["changed"], change["cells"]) == (100, [("group", 100)])
    assert change["groups"] == [{"column": "group", "values": [("holdout", 200, 100), ("target", 800, 900)]}]
    assert [total["column"] for total in change["totals"]] == ["score", "rank"]
    swapped = pair.tables(audience(range(1000), 200), audience(range(212, 1212), 200), "user_id")
    assert (swapped["left"], swapped["came"]) == (212, 212)


def test_a_key_nobody_declared_is_found_and_never_a_running_number(pair: Pair) -> None:
    old = audience(range(500, 560), 5)[["rank", "group", "user_id"]].rename(columns={"user_id": "who"})
    change = pair.tables(old, old.iloc[10:].assign(rank=range(1, 51)))
    assert (change["key"], change["left"], change["came"], change["changed"]) == (["who"], 10, 0, 50)
    named = pair.tables({"id": [1, 2], "name": ["a", "b"]}, {"id": [1, 2], "name": ["a", "c"]})
    assert (named["key"], named["changed"]) == (["id"], 1)


def test_two_columns_together_are_a_key(pair: Pair) -> None:
    rows = pd.DataFrame({"order": [1, 1, 2, 2], "step": [1, 2, 1, 2], "channel": ["a", "b", "a", "b"]})
    change = pair.tables(rows, rows.assign(channel=["a", "b", "a", "c"]))
    assert (change["key"], change["changed"], change["cells"]) == (["order", "step"], 1, [("channel", 1)])


def test_a_declared_key_that_repeats_is_not_used(pair: Pair) -> None:
    rows = {"k": [1, 1, 2], "id": ["a", "b", "c"]}
    assert pair.tables(rows, rows | {"id": ["a", "b", "d"]}, "k")["key"] == ["id"]


def test_without_a_key_whole_rows_are_counted(pair: Pair) -> None:
    change = pair.tables({"x": [1, 1, 2], "y": [0.5, 0.5, 1.0]}, {"x": [1, 2, 2], "y": [0.5, 1.0, 1.0]})
    assert (change["key"], change["left"], change["came"], change["changed"]) == ([], 1, 1, 0)


def test_the_same_rows_in_another_order_moved(pair: Pair) -> None:
    change = pair.tables({"id": ["b", "a"], "n": [1, 2]}, {"id": ["a", "b"], "n": [2, 1]})
    assert (change["moved"], change["left"], change["came"], change["changed"]) == (True, 0, 0, 0)
    again = pair.tables({"x": [1, 1, 2]}, {"x": [2, 1, 1]})
    assert (again["moved"], again["left"], again["came"]) == (True, 0, 0)


def test_float_noise_and_missing_values_on_both_sides_are_no_change(pair: Pair) -> None:
    old = {"id": [1, 2, 3], "x": [0.1, None, 3.0], "t": ["a", None, "b"]}
    new = {"id": [1, 2, 3], "x": [0.1 * (1 + 1e-12), None, 4.0], "t": ["a", None, None]}
    assert pair.tables(old, new)["cells"] == [("x", 1), ("t", 1)]


def test_long_whole_numbers_differ_in_their_last_digit(pair: Pair) -> None:
    old = {"id": ["a", "b"], "n": pd.array([9007199254740993, None], dtype="Int64")}
    assert pair.tables(old, old | {"n": pd.array([9007199254740992, None], dtype="Int64")})["changed"] == 1


def test_columns_that_came_left_or_changed_their_kind_are_named(pair: Pair) -> None:
    change = pair.tables({"id": [1, 2], "a": [1, 2], "k": [1, 2]}, {"id": [1, 2], "b": [1, 2], "k": ["1", "2"]})
    assert (change["added"], change["removed"]) == (["b", "k"], ["a", "k"])


def test_totals_and_groups_of_a_csv_count_na_as_a_value(pair: Pair) -> None:
    (pair.before / "m.csv").write_text("m,x\n" + "NA,1\nEU,2\n" * 5)
    (pair.after / "m.csv").write_text("m,x\n" + "NA,1\nNA,2.5\n" * 5)
    table = pair.changes()[0]["table"]
    assert table["groups"] == [{"column": "m", "values": [("EU", 5, 0), ("NA", 5, 10)]}]
    assert table["totals"] == [{"column": "x", "before": 15.0, "after": 17.5}]


@pytest.mark.parametrize("name", ["t.jsonl", "t.json", "t.tsv", "t.feather"])
def test_every_format_of_tables_is_read(pair: Pair, name: str) -> None:
    for folder, last in ((pair.before, 2), (pair.after, 3)):
        frame = pd.DataFrame({"id": ["a", "b"], "n": [1, last]})
        if name.endswith(".tsv"):
            frame.to_csv(folder / name, sep="\t", index=False)
        elif name.endswith(".feather"):
            frame.to_feather(folder / name)
        else:
            frame.to_json(folder / name, orient="records", lines=name.endswith("l"))
    table = pair.changes()[0]["table"]
    assert (table["key"], table["cells"], table["totals"][0]["after"]) == (["id"], [("n", 1)], 4.0)


def test_values_of_a_document_are_told_where_they_stand(pair: Pair) -> None:
    change = pair.only("r.json", b'{"n": 1, "ci": [0.5, 1], "old": 1}', b'{"n": 1, "ci": [0.5, 2], "new": true}')
    assert change["values"] == [
        {"at": "ci[1]", "before": "1", "after": "2"},
        {"at": "old", "before": "1", "after": None},
        {"at": "new", "before": None, "after": "True"},
    ]
    many = pair.only("r.json", json.dumps({str(i): 0 for i in range(99)}).encode(), b"{}")
    assert (len(many["values"]), many["detail"]) == (MAX_VALUES, f"{99 - MAX_VALUES} more")


def test_texts_images_and_other_files_say_so_much_as_can_be_said(pair: Pair) -> None:
    assert pair.only("a.txt", b"x\ny\n", b"y\nz\nz\n")["lines"] == (1, 2)
    for folder, colour in ((pair.before, "red"), (pair.after, "blue")):
        Image.new("RGB", (9, 9), colour).save(folder / "p.png")
    (pair.before / "old.bin").write_bytes(b"1")
    (pair.after / "new.bin").write_bytes(b"1")
    assert [(change["path"], change["kind"]) for change in pair.changes()] == [
        ("a.txt", "text"),
        ("new.bin", "new"),
        ("old.bin", "gone"),
        ("p.png", "image"),
    ]
    assert pair.only("a.bin", b"1", b"22")["detail"] == "2 bytes, 1 before"


def test_outputs_that_hold_the_same_are_the_same_however_they_were_written(pair: Pair) -> None:
    frame = audience(range(50), 5)
    frame.to_parquet(pair.before / "t.parquet", compression="zstd")
    frame.to_parquet(pair.after / "t.parquet", compression="snappy")
    assert pair.changes() == [{"path": "t.parquet", "kind": "same"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b"PAR1" + b"\xff" * 64 + b"\x40\x00\x00\x00PAR1"),
        ("t.json", b"[" * 100_000),
        ("t.jsonl", b'{"a": 1}\nno json\n'),
        ("t.csv", b'a,b\n"unclosed\n' * 3),
        ("t.feather", b"ARROW1\x00\x00nothing"),
        ("t.json", b'{"a": NaN, "b": "\\ud800", "c": 1e999}'),
    ],
)
def test_a_hostile_file_is_told_and_does_not_end_the_others(pair: Pair, name: str, content: bytes) -> None:
    (pair.before / "z.txt").write_text("1\n")
    (pair.after / "z.txt").write_text("2\n")
    (pair.before / name).write_bytes(b"x")
    (pair.after / name).write_bytes(content)
    changes = pair.changes()
    assert (changes[0]["kind"], changes[1]["kind"]) == ("unread", "text")
    json.dumps(changes, allow_nan=False)


def test_strange_values_are_told_in_plain_json(pair: Pair) -> None:
    lists = {"id": [1, 2], "c": [[1, 2], [3]], "d": [{"x": 1}, None], "f": [np.inf, -np.inf], "b": [b"\xff", b"x"]}
    new = lists | {"c": [[1, 2], [4]], "f": [np.inf, 1.0], "b": [b"\xff", b"y" * 5000]}
    change = pair.tables(lists, new)
    assert dict(change["cells"]) == {"c": 1, "f": 1, "b": 1}
    json.dumps(change, allow_nan=False)
    named = pair.tables({"a" * 500: [1, 2], "k": ["\x1b[2J", "b"]}, {"a" * 500: [1, 3], "k": ["\x1b[2J", "b"]})
    assert all(len(name) <= 60 for name, _ in named["cells"])


def test_what_is_too_large_is_not_decoded(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nl2code_checks.changes.MAX_BYTES", 100)
    assert "more than 100 bytes" in pair.only("t.csv", b"a\n" * 99, b"a\n")["detail"]
    monkeypatch.undo()
    monkeypatch.setattr(table_reading, "MAX_ROWS", 3)
    assert "5 rows" in pair.only("t.jsonl", b'{"a": 1}\n', b'{"a": 1}\n' * 5)["detail"]
    wide = ",".join(f"c{i}" for i in range(table_reading.MAX_COLUMNS + 1)).encode()
    assert "columns" in pair.only("t.csv", b"a\n1\n", wide + b"\n")["detail"]


def test_a_wide_table_without_a_key_is_given_up_in_time(pair: Pair) -> None:
    rng = np.random.default_rng(1)
    old = pd.DataFrame(rng.integers(0, 2, (20_000, 30))).rename(columns=str)
    started = time.monotonic()
    assert pair.tables(old, old.iloc[::-1])["key"] == []
    assert time.monotonic() - started < 20
