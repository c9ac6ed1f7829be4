"""Laws of comparing two runs: what counts as the same, and where a difference is said to be."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin

from nl2code_checks.compare import compare_files, compare_runs

FRAME = {"user_id": [3, 1, 2], "score": [0.5, float("nan"), 1e-300], "group": ["a", None, "b"]}


class Pair:
    """Two files of one name."""

    def __init__(self, folder: Path) -> None:
        """Makes the two folders."""
        self.first, self.second = folder / "a", folder / "b"
        self.first.mkdir()
        self.second.mkdir()

    def bytes(self, name: str, a: bytes, b: bytes) -> tuple[str, str] | None:
        """Writes both and compares them."""
        (self.first / name).write_bytes(a)
        (self.second / name).write_bytes(b)
        return self.compared(name)

    def text(self, name: str, a: str, b: str) -> tuple[str, str] | None:
        """Writes both and compares them."""
        return self.bytes(name, a.encode(), b.encode())

    def compared(self, name: str) -> tuple[str, str] | None:
        """Returns code and message of what was found."""
        finding = compare_files(self.first / name, self.second / name, name)
        return (finding["code"], finding["message"]) if finding else None

    def frames(self, a: dict[str, object], b: dict[str, object]) -> tuple[str, str] | None:
        """Writes both as Parquet and compares them."""
        pd.DataFrame(a).to_parquet(self.first / "t.parquet")
        pd.DataFrame(b).to_parquet(self.second / "t.parquet")
        return self.compared("t.parquet")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def differs(found: tuple[str, str] | None, *parts: str) -> bool:
    return found is not None and found[0] == "output-differs" and all(part in found[1] for part in parts)


def test_equal_tables_are_equal_whatever_their_row_groups_and_compression(pair: Pair) -> None:
    table = pa.table(FRAME)
    pq.write_table(table, pair.first / "t.parquet", compression="zstd", row_group_size=1)
    pq.write_table(table.replace_schema_metadata({"by": "someone"}), pair.second / "t.parquet")
    assert pair.compared("t.parquet") is None


def test_float_noise_passes_and_a_real_difference_names_column_and_row(pair: Pair) -> None:
    assert pair.frames(FRAME, FRAME | {"score": [0.5 * (1 + 1e-12), float("nan"), 1e-300]}) is None
    assert differs(pair.frames(FRAME, FRAME | {"score": [0.5, float("nan"), 2e-300]}), "'score'", "row 3")
    assert differs(pair.frames(FRAME, FRAME | {"score": [0.5, 7.0, 1e-300]}), "'score'", "row 2")
    assert differs(pair.frames(FRAME, FRAME | {"score": [0.5, None, float("inf")]}), "'score'", "row 3")


def test_row_order_counts(pair: Pair) -> None:
    assert differs(
        pair.frames(FRAME, FRAME | {"user_id": [1, 3, 2]}), "'user_id'", "row 1", "3 in the first", "1 in the second"
    )


def test_a_null_differs_from_a_value(pair: Pair) -> None:
    assert differs(pair.frames(FRAME, FRAME | {"group": ["a", "x", "b"]}), "'group'", "row 2")
    assert differs(pair.frames(FRAME, FRAME | {"group": ["a", None, None]}), "'group'", "row 3")


def test_schema_counts(pair: Pair) -> None:
    assert differs(pair.frames(FRAME, {k: FRAME[k] for k in ("score", "user_id", "group")}), "columns")
    assert differs(pair.frames(FRAME, FRAME | {"user_id": [3.0, 1.0, 2.0]}), "'user_id'", "int64", "double")
    assert differs(pair.frames({"a": [1]}, {"a": [1, 2]}), "1 rows", "2 in the second")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([[1.0, 2.0], [3.0]], [[1.0, 2.0], [4.0]]),
        ([{"x": 1}, {"x": 2}], [{"x": 1}, {"x": 3}]),
        ([True, False], [True, True]),
        (pd.to_datetime(["2026-01-01", "2026-01-02"]), pd.to_datetime(["2026-01-01", "2026-01-03"])),
        (pd.Categorical(["x", "y"]), pd.Categorical(["x", "x"], categories=["x", "y"])),
        ([b"a", b"b"], [b"a", b"c"]),
        (np.array([1, 2], "float32"), np.array([1, 2.001], "float32")),
    ],
)
def test_every_column_type_is_compared(pair: Pair, a: object, b: object) -> None:
    assert pair.frames({"c": a}, {"c": a}) is None
    assert differs(pair.frames({"c": a}, {"c": b}), "'c'", "row 2")


def test_categories_in_another_order_are_the_same_values(pair: Pair) -> None:
    a, b = (pd.Categorical(["x", "y"], categories=order) for order in (["x", "y"], ["y", "x"]))
    assert pair.frames({"c": a}, {"c": b}) is None


def test_a_csv_cell_is_named_by_file_column_and_row(pair: Pair) -> None:
    found = pair.text("out.csv", "id,score\n1,0.5\n2,0.25\n", "id,score\n1,0.5\n2,0.26\n")
    assert differs(found, "'out.csv'", "'score'", "row 2", "'0.25'", "'0.26'")


def test_csv_float_noise_and_quoting_pass_but_long_ids_do_not(pair: Pair) -> None:
    assert pair.text("o.csv", "id,x\n1,0.5\n", '"id","x"\r\n1,0.5000000000001\r\n') is None
    assert pair.text("o.csv", "id,x\n1,nan\n", "id,x\n1,NaN\n") is None
    assert differs(pair.text("o.csv", "id\n12345678901234567\n", "id\n12345678901234568\n"), "'id'")
    assert differs(pair.text("o.csv", "id\n007\n", "id\n7\n"), "'id'")


def test_csv_rows_columns_and_order_count(pair: Pair) -> None:
    assert differs(pair.text("o.csv", "a\n1\n", "a\n1\n2\n3\n"), "second run has 2 more row(s), from row 2")
    assert differs(pair.text("o.csv", "a,b\n1,2\n", "b,a\n1,2\n"), "columns")
    assert differs(pair.text("o.csv", "a\n1\n2\n", "a\n2\n1\n"), "row 1")
    assert differs(pair.text("o.csv", "a,b\n1,2\n", "a,b\n1\n"), "row 1")


def test_other_delimiters_and_encodings_are_read(pair: Pair) -> None:
    assert differs(pair.text("o.csv", "a;b\n1,5;2\n", "a;b\n1,5;3\n"), "'b'", "row 1")
    assert differs(pair.text("o.tsv", "a b\tc\n1\t2\n", "a b\tc\n1\t3\n"), "'c'")
    assert differs(pair.bytes("o.csv", "ä\n1\n".encode("latin-1"), "ä\n2\n".encode("latin-1")), "row 1")
    assert differs(pair.bytes("o.csv", "a,b\n1,2\n".encode("utf-16"), "a,b\n1,3\n".encode("utf-16")), "'b'")
    assert differs(
        pair.bytes("o.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=1), gzip.compress(b"a,b\n1,3\n", mtime=2)), "'b'"
    )
    assert pair.bytes("o.csv.gz", gzip.compress(b"a\n1\n", mtime=1), gzip.compress(b"a\n1\n", mtime=2)) is None


def test_json_is_compared_by_values_and_key_order(pair: Pair) -> None:
    rows = [{"id": 1, "x": {"y": 0.5}}, {"id": 2, "x": {"y": 1.5}}]
    other = [rows[0], {"id": 2, "x": {"y": 1.6}}]
    assert pair.text("o.json", json.dumps(rows), json.dumps(rows, indent=2)) is None
    assert pair.text("o.json", '{"x": NaN}', '{"x": NaN}') is None
    assert differs(pair.text("o.json", json.dumps(rows), json.dumps(other)), "'x.y'", "row 2")
    assert differs(pair.text("o.json", '{"a": 1, "b": 2}', '{"b": 2, "a": 1}'), "keys")
    assert differs(pair.text("o.json", '{"a": true}', '{"a": 1}'), "'a'")
    assert differs(pair.text("o.jsonl", '{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a": 3}\n'), "'a'", "row 2")
    assert differs(pair.text("o.jsonl", '{"a": 1}\n', '{"a": 1}\n{"a": 3}\n'), "row 2", "second run only")


def test_a_workbook_saved_at_another_time_is_the_same(pair: Pair) -> None:
    for folder, value, creator in ((pair.first, 1, "a"), (pair.second, 1, "b")):
        book = openpyxl.Workbook()
        book.properties.creator = creator
        book.active.append(["id", "n"])
        book.active.append([7, value])
        book.save(folder / "o.xlsx")
    assert pair.compared("o.xlsx") is None
    book = openpyxl.load_workbook(pair.second / "o.xlsx")
    book.active["B2"] = 2
    book.save(pair.second / "o.xlsx")
    assert differs(pair.compared("o.xlsx"), "'n'", "row 1")


def test_images_are_compared_by_pixels(pair: Pair) -> None:
    image = Image.new("RGBA", (40, 30), (255, 0, 0, 255))
    note = PngImagePlugin.PngInfo()
    note.add_text("Creation Time", "yesterday")
    image.save(pair.first / "p.png")
    image.save(pair.second / "p.png", pnginfo=note, compress_level=1)
    assert (pair.first / "p.png").read_bytes() != (pair.second / "p.png").read_bytes()
    assert pair.compared("p.png") is None
    image.putpixel((12, 7), (254, 0, 0, 255))
    image.save(pair.second / "p.png")
    assert differs(pair.compared("p.png"), "(12, 7)")
    image.resize((20, 30)).save(pair.second / "p.png")
    assert differs(pair.compared("p.png"), "40x30")


def test_text_and_unknown_files_are_compared_byte_by_byte(pair: Pair) -> None:
    assert pair.text("o.txt", "a\nb\n", "a\nb\n") is None
    assert differs(pair.text("o.txt", "a\nb\n", "a\nc\n"), "line 2", "'b'", "'c'")
    assert differs(pair.text("o.txt", "a\n", "a\n\n"), "line 2", "nothing")
    assert pair.bytes("o.bin", b"\0" * 3_000_000, b"\0" * 3_000_000) is None
    assert differs(pair.bytes("o.bin", b"\0" * 3_000_000, b"\0" * 2_500_000 + b"\1" * 500_000), "byte 2500000")


@pytest.mark.parametrize("name", ["o.parquet", "o.feather", "o.png", "o.json", "o.jsonl", "o.xlsx", "o.csv.gz"])
def test_equal_garbage_is_unreadable_not_the_same(pair: Pair, name: str) -> None:
    found = pair.bytes(name, b"\x89garbage{", b"\x89garbage{")
    assert found is not None
    assert found[0] == "output-unreadable"
    assert len(found[1]) <= 600


def test_hostile_files_are_refused_without_harm(pair: Pair) -> None:
    deep = b"[" * 200_000
    Image.new("1", (1, 1)).save(pair.first / "o.png")
    small = (pair.first / "o.png").read_bytes()
    header = b"IHDR" + struct.pack(">II", 40_000, 40_000) + small[24:29]
    bomb = small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]
    found = pair.bytes("o.png", bomb, bomb)
    assert found is not None
    assert "pixels" in found[1]
    assert pair.bytes("o.json", deep, deep) is not None
    assert pair.text("o.json", '{"a": ' * 200 + "1" + "}" * 200, '{"a": ' * 200 + "1" + "}" * 200) is None
    assert pair.text("n.csv", "a\0b\n1\n", "a\0b\n1\n") is None


def test_a_file_of_one_run_only_is_a_difference(pair: Pair) -> None:
    (pair.first / "x.txt").write_text("x")
    found = compare_runs(pair.first, pair.second, ["x.txt"], [])
    assert [(f["code"], f["path"]) for f in found] == [("output-differs", "x.txt")]


def test_many_differences_are_bounded(pair: Pair) -> None:
    assert len(compare_runs(pair.first, pair.second, [f"{i}.txt" for i in range(500)], [])) == 20
