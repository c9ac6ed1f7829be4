"""Laws of running a pack's checks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nl2code_checks.pack_checks import Context, Outcome, run_check


def check(folder: Path, body: str) -> Outcome:
    (folder / "checks").mkdir()
    (folder / "checks" / "common.py").write_text("LIMIT = 3\n")
    (folder / "checks" / "one.py").write_text(f"from common import LIMIT\ndef run(ctx):\n    {body}\n")
    return run_check(folder, "checks/one.py", Context(folder, folder, None, ("a.csv",)))


def test_results_are_passed_on_in_order(tmp_path: Path) -> None:
    first = "{'name': 'a', 'ok': LIMIT == 3, 'detail': ctx.declared[0], 'path': 'x'}"
    body = f"return [{first}, {{'name': 'b', 'ok': None, 'detail': 'no truth'}}]"
    before = list(sys.path)
    outcome = check(tmp_path, body)
    assert outcome["broken"] is None
    assert [(r["name"], r["ok"], r["detail"], r.get("path")) for r in outcome["results"]] == [
        ("a", True, "a.csv", "x"),
        ("b", None, "no truth", None),
    ]
    assert sys.path == before


def test_a_check_that_answers_with_a_numpy_bool_is_understood(tmp_path: Path) -> None:
    outcome = check(tmp_path, "import numpy as np; return [{'name': 'a', 'ok': np.bool_(True), 'detail': ''}]")
    assert outcome["results"][0]["ok"] is True


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise KeyError('score')", "KeyError: 'score' (one.py, line 3)"),
        ("return []", "no results"),
        ("return None", "TypeError"),
        ("return [{'name': 'a'}]", "KeyError"),
        ("return [{'name': 'a', 'ok': True}] * 2", "two results of one name"),
        ("return [{'name': str(i), 'ok': True} for i in range(1000)]", "1000 results"),
        ("import sys; sys.exit(0)", "SystemExit"),
    ],
)
def test_a_check_that_breaks_is_broken_and_never_a_pass(tmp_path: Path, body: str, why: str) -> None:
    outcome = check(tmp_path, body)
    assert outcome["results"] == []
    assert outcome["broken"] is not None
    assert why in outcome["broken"]


def test_a_missing_check_is_broken(tmp_path: Path) -> None:
    assert run_check(tmp_path, "checks/none.py", Context(tmp_path, tmp_path, None))["broken"] is not None
