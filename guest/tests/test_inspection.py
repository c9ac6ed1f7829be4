"""The look at the inputs: exact about shape and reading, silent about persons, robust on broken files."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from harness import GUEST, Guest

from nl2code_guest.inspection import MAX_CHARS, report


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Look:
    """Writes inputs and looks at them."""
    monkeypatch.setenv("NL2CODE_INPUTS", str(tmp_path))
    return Look(tmp_path, capsys)


class Look:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def at(self, **files: bytes | str | pd.DataFrame) -> str:
        for name, content in files.items():
            self.write(name.replace("_dot_", "."), content)
        return self.again()

    def write(self, name: str, content: bytes | str | pd.DataFrame) -> None:
        path = self.folder / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_bytes(content)

    def again(self) -> str:
        report()
        return self._capsys.readouterr().out


def people(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "user_id": np.arange(rows) + 1,
            "freq": np.where(np.arange(rows) % 20 == 0, np.nan, rng.integers(0, 20, rows)),
            "value": rng.lognormal(6, 0.5, rows),
            "market": rng.choice(["EU", "UK", "APAC"], rows),
            "active": rng.random(rows) < 0.5,
            "since": pd.date_range("2024-01-01", periods=rows),
            "email": [f"person{i}@example.org" for i in range(rows)],
            "full_name": [["Jane Doe", "John Roe"][i % 2] for i in range(rows)],
            "phone": [f"+49 151 123{i:05d}" for i in range(rows)],
            "phone_number": 4915112300000 + np.arange(rows),
            "note": ["Called twice, wants a refund for the broken lamp and was angry"] * rows,
            "helper": [["anna@example.org", "bert@example.org"][i % 2] for i in range(rows)],
        }
    )


def test_a_table_is_described_column_by_column(look: Look) -> None:
    text = look.at(users_dot_parquet=people())
    assert "users.parquet · Parquet · 400 rows × 12 columns" in text
    assert "pd.read_parquet('users.parquet')" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}
    assert "int64, 400 distinct, 1 to 400" in lines["user_id"]
    assert "20 null" in lines["freq"] and "all whole" in lines["freq"]
    for word in ("'EU'", "'UK'", "'APAC'"):
        assert word in lines["market"]
    assert "True" in lines["active"] and "2024-01-01 to 2025-02-03" in lines["since"]


def test_nothing_that_names_a_person_is_shown(look: Look) -> None:
    frame = people()
    look.write("users.parquet", frame)
    look.write("users.csv", frame.to_csv(index=False))
    text = look.again()
    for secret in ("person1", "example.org", "Jane", "Roe", "151", "49151", "lamp", "refund"):
        assert secret not in text
    assert "e-mail addresses" in text and "free text" in text and "digits" in text


@pytest.mark.parametrize(
    ("content", "call", "shape"),
    [
        (b"a,b\n1,2\n", "pd.read_csv('x.csv')", "1 row × 2 columns"),
        (b"a;b\n1,5;2\n", "pd.read_csv('x.csv', sep=';', decimal=',')", "1 row × 2 columns"),
        (b"\xef\xbb\xbfa\tb\n1\t2\n", r"pd.read_csv('x.csv', sep='\t', encoding='utf-8-sig')", "1 row × 2"),
        ("ö;b\nä;1.234,50\n".encode("cp1252"), "sep=';', encoding='cp1252', decimal=',', thousands='.')", "1 row"),
        ("a,b\n1,é\n".encode("utf-16"), "pd.read_csv('x.csv', encoding='utf-16')", "1 row × 2 columns"),
        ("a;b\n1,5;é\n".encode("utf-16"), "sep=';', encoding='utf-16', decimal=',')", "1 row × 2 columns"),
        ("a,b\n1,é\n".encode("utf-16-le"), "pd.read_csv('x.csv', encoding='utf-16-le')", "1 row × 2 columns"),
        ("key;name\n1;Zoë\n".encode("utf-16-be"), "sep=';', encoding='utf-16-be')", "1 row × 2 columns"),
        (b'\xef\xbb\xbf"a b";c\n1;2\n', "sep=';', encoding='utf-8-sig')", "1 row × 2 columns"),
        (b"Report\n\na,b,c\n1,2,3\n4,5,6\n", "pd.read_csv('x.csv', skiprows=2)", "2 rows × 3 columns"),
        (b"1,2\n3,4\n", "pd.read_csv('x.csv', header=None)", "2 rows × 2 columns"),
        (b"a,b\n1,2\n1,2,3\n4,5\n", "pd.read_csv('x.csv', on_bad_lines='skip')", "2 rows × 2 columns"),
        (b"only\n1\n2\n", "pd.read_csv('x.csv')", "2 rows × 1 column"),
        (b"a|b\n1|2\n", "pd.read_csv('x.csv', sep='|')", "1 row × 2 columns"),
        (b"a,b\n", "It has a header and no rows", "0 rows × 2 columns"),
    ],
)
def test_a_csv_is_read_by_the_call_that_is_shown(look: Look, content: bytes, call: str, shape: str) -> None:
    text = look.at(x_dot_csv=content)
    assert call in text and shape in text


def test_a_word_that_pandas_takes_for_a_gap_is_told(look: Look) -> None:
    text = look.at(x_dot_csv="id,market\n" + "1,NA\n2,EU\n3,\n" * 5)
    assert "Column market holds 'NA' 5, read as null; keep_default_na=False" in text


def test_dates_as_text_and_repeated_rows_are_told(look: Look) -> None:
    text = look.at(x_dot_csv="d,e\n2025-01-31,31.12.2024\n2025-02-01,01.01.2025\n2025-02-01,01.01.2025\n")
    assert "dates YYYY-MM-DD as text, 2025-01-31 to 2025-02-01" in text
    assert "dates DD.MM.YYYY as text, 2024-12-31 to 2025-01-01" in text
    assert "1 rows are exact repeats" in text


def test_json_jsonl_and_excel(look: Look) -> None:
    look.write("a.json", json.dumps([{"k": 1, "v": [1]}, {"k": 2, "v": {}}]))
    look.write("b.json", json.dumps({"x": 1, "rows": [1, 2]}))
    look.write("c.jsonl", '{"k": 1}\n{"k": 2}\n')
    people(5).to_excel(look.folder / "d.xlsx", index=False, sheet_name="All of it")
    text = look.again()
    assert "a.json · JSON · 2 rows × 2 columns" in text and "holds dict, list" in text
    assert "json.load(open('b.json')) has 2 keys: 'x': number, 'rows': list of 2" in text
    assert "pd.read_json('c.jsonl', lines=True)" in text
    assert "pd.read_excel('d.xlsx', sheet_name='All of it')" in text and "5 rows × 12 columns" in text


def test_a_large_file_is_looked_at_by_its_first_rows(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nl2code_guest.inspection_files._WHOLE_BYTES", 10_000)
    monkeypatch.setattr("nl2code_guest.inspection_files._FIRST_ROWS", 100)
    look.write("a.csv", "n,m\n" + "".join(f"{i},x\n" for i in range(5000)))
    look.write("b.parquet", pd.DataFrame({"n": np.arange(50_000)}))
    look.write("c.jsonl", "".join(f'{{"n": {i}}}\n' for i in range(3000)))
    text = look.again()
    for rows in ("5,000 rows", "50,000 rows", "3,000 rows"):
        assert rows in text
    assert text.count("of the first 100 rows") == 3


def test_odd_names_are_shown_quoted_and_read(look: Look) -> None:
    names = ["with space.csv", "quote\"s'.csv", "new\nline.csv", "ümläut \u202e.csv", "-dash.csv"]
    for name in names:
        look.write(name, "a,b\n1,2\n")
    text = look.again()
    assert text.count("1 row × 2 columns") == len(names)
    assert "\nwith space.csv · " in text and repr("new\nline.csv") in text and "\u202e" not in text
    assert f"pd.read_csv({names[1]!r})" in text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "empty, 0 bytes"),
        ("cut.parquet", b"PAR1garbage", "damaged or cut off"),
        ("cut.xlsx", b"PK\x03\x04garbage", "damaged"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 100, ".xlsx or .csv"),
        ("cut.json", b'{"a": [1,', "not valid JSON"),
        ("open.csv", b'a,b\n"1,2\n', "can't be read"),
        ("noise.bin", bytes(range(256)) * 10, "neither a table nor text"),
        ("image.png", b"\x89PNG\r\n\x1a\n" + b"x" * 50, "PNG image"),
        ("notes.md", b"# hi\n", "text, 1 lines"),
        ("blank.csv", b"\n\n\n", "no table"),
    ],
)
def test_a_broken_file_is_one_sentence_and_the_others_are_described(
    look: Look, name: str, content: bytes, says: str
) -> None:
    look.write(name, content)
    look.write("zzz.csv", "a,b\n1,2\n")
    text = look.again()
    assert f"{name} · " in text and says in text
    assert "zzz.csv · CSV, comma, UTF-8 · 1 row × 2 columns" in text


def test_the_report_is_bounded(look: Look) -> None:
    look.write("wide.csv", ",".join(f"column_{i}" for i in range(2000)) + "\n" + ",".join("1" * 2000) + "\n")
    for number in range(80):
        look.write(f"file{number:03d}.csv", "a,b\n1,2\n" * 10)
    text = look.again()
    assert len(text) < MAX_CHARS + 2500
    assert "more columns" in text and "Not looked at" in text


def test_it_begins_with_the_versions_that_a_script_can_pin(look: Look) -> None:
    first = look.at(x_dot_csv="a\n1\n").splitlines()[0]
    assert first.startswith(f"Python {sys.version_info[0]}.{sys.version_info[1]}.")
    assert f"pandas {version('pandas')}" in first and f"scikit-learn {version('scikit-learn')}" in first


def test_no_inputs_and_no_folder_are_one_sentence(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look.again().splitlines()[1:] == ["There are no input files."]
    monkeypatch.setenv("NL2CODE_INPUTS", str(look.folder / "missing"))
    assert "can't be listed" in look.again()


def test_as_a_cell_it_leaves_no_name_behind_and_a_warm_kernel_follows(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/x.csv").write_text("a,b\n1,2\n")
    guest = Guest(tmp_path, warm="data", env={"NL2CODE_INPUTS": str(tmp_path / "in")})
    try:
        done = guest.run("__import__('nl2code_guest.inspection', fromlist=['report']).report()")
        assert done.ended == "ok" and "1 row × 2 columns" in done.stdout and done.stderr == ""
        after = guest.run("sorted(name for name in globals() if not name.startswith('__'))")
        assert after.text == "[]" and after.restored is None
    finally:
        guest.close()


@pytest.mark.parametrize(
    ("module", "heavy"), [("init", ("inspect", "ast", "pandas", "_hashlib")), ("inspection", ("pandas", "numpy"))]
)
def test_importing_the_guest_stays_cheap(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import nl2code_guest.{module}, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=GUEST, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
