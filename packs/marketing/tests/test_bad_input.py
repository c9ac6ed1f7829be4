"""C4, reported apart: each input in turn missing, empty, or with one used column renamed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from conftest import Data, run_reference

SEEDS, USERS = "high_value_q1.csv", "user_features.parquet"


def _rewrite(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    if path.suffix == ".csv":
        change(pd.read_csv(path)).to_csv(path, index=False)
    else:
        change(pd.read_parquet(path)).to_parquet(path, index=False)


@pytest.mark.parametrize("name", [SEEDS, USERS])
@pytest.mark.parametrize("fault", ["missing", "empty", "user_id", "avg_ov"])
def test_c4_bad_input_ends_in_one_message_and_no_output(
    made: Callable[[int], Data], tmp_path: Path, outputs: Path, name: str, fault: str
) -> None:
    folder = tmp_path / "inputs"
    folder.mkdir()
    for each in (SEEDS, USERS):
        shutil.copy(made(42).folder / each, folder / each)
    if fault == "missing":
        (folder / name).unlink()
    elif fault == "empty":
        _rewrite(folder / name, lambda table: table.head(0))
    else:
        _rewrite(folder / name, lambda table: table.rename(columns={fault: "renamed"}))
    ran = run_reference(made(42), outputs, cwd=folder)
    assert ran.returncode != 0
    assert ran.stdout == "" and len(ran.stderr.splitlines()) == 1 and name in ran.stderr
    assert fault == "missing" or (fault if fault != "empty" else "user_id") in ran.stderr
    assert list(outputs.iterdir()) == []
