"""The checks of the lookalike request: right answers pass, each wrong one is rejected by its check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import OUTPUT, Data, check, failed, run_reference
from solutions import SCORERS, WRONG, Wrong, answer

Made = Callable[[int], Data]


@pytest.mark.parametrize("seed", [42, 43, 7])
def test_the_reference_script_passes_every_check(made: Made, outputs: Path, seed: int) -> None:
    ran = run_reference(made(seed), outputs)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    results = check(made(seed), outputs)
    assert [result["name"].split()[0] for result in results] == ["C1", "1", "2", "3", "4", "5"]
    assert all(result["ok"] is True for result in results), results


@pytest.mark.parametrize("name", list(SCORERS))
def test_every_right_method_passes_every_check(made: Made, outputs: Path, name: str) -> None:
    data = made(42)
    answer(data.users(), data.seeds(), SCORERS[name]).to_parquet(outputs / OUTPUT)
    assert failed(check(data, outputs)) == []


@pytest.mark.parametrize("seed", [42, 7])
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: str(wrong.name))
def test_a_wrong_solution_is_rejected_by_its_check(made: Made, outputs: Path, wrong: Wrong, seed: int) -> None:
    data = made(seed)
    wrong.make(data.users(), data.seeds()).to_parquet(outputs / OUTPUT)
    assert wrong.check in failed(check(data, outputs))


def test_a_mistake_in_one_thing_fails_one_check(made: Made, outputs: Path) -> None:
    data = made(42)
    for wrong in WRONG:
        if wrong.check in ("3", "4", "5"):
            wrong.make(data.users(), data.seeds()).to_parquet(outputs / OUTPUT)
            assert failed(check(data, outputs)) == [wrong.check], wrong.name


def test_the_key_may_be_called_what_the_inputs_call_it(made: Made, outputs: Path) -> None:
    data = made(7)
    audience = answer(data.users(), data.seeds())
    audience.rename(columns={"user_id": data.columns["user_id"]}).to_parquet(outputs / OUTPUT)
    assert failed(check(data, outputs)) == []
    audience.rename(columns={"user_id": "somebody"}).to_parquet(outputs / OUTPUT)
    assert failed(check(data, outputs)) == ["C1"]


@pytest.mark.parametrize("seed", [42, 7])
def test_without_truth_likeness_is_not_run_and_says_why(made: Made, outputs: Path, seed: int) -> None:
    data = made(seed)
    answer(data.users(), data.seeds()).to_parquet(outputs / OUTPUT)
    results = check(data, outputs, truth=False)
    assert [result["ok"] for result in results] == [True] * 5 + [None]
    assert results[5]["detail"] == "not run: no truth is known for these inputs"


def test_without_the_inputs_the_numbered_checks_are_not_run(outputs: Path, tmp_path: Path, made: Made) -> None:
    answer(made(42).users(), made(42).seeds()).to_parquet(outputs / OUTPUT)
    (tmp_path / "admitted").mkdir()
    (tmp_path / "admitted" / "high_value_q1.csv").write_text("user_id\n1\n")
    data = Data(tmp_path / "admitted", made(42).columns)
    results = check(data, outputs, truth=False)
    assert [result["ok"] for result in results] == [True] + [None] * 5
    assert "no input user_features.parquet" in results[1]["detail"]


Spoil = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.mark.parametrize(
    ("number", "spoil"),
    [
        ("1", lambda t: t.assign(user_id=np.arange(1, len(t) + 1))),
        ("2", lambda t: t.assign(score=t["score"].where(t["rank"] != 1, np.inf))),
        ("2", lambda t: t.assign(score=t["score"].round(0))),
        ("2", lambda t: t.assign(score=-t["score"])),
        ("2", lambda t: t.assign(rank=t["rank"] - 1)),
        ("3", lambda t: t.assign(group=t["group"].mask(t.index == t.index[t["group"] == "target"][0], "other"))),
        ("3", lambda t: t.assign(group="target")),
        ("4", lambda t: t.assign(group=np.where(t["rank"] <= 200, "holdout", "target"))),
        ("C1", lambda t: t.drop(columns="rank")),
        ("C1", lambda t: t.assign(more=1)),
        ("C1", lambda t: t.assign(user_id=t["user_id"].astype(float))),
        ("C1", lambda t: t.assign(score=0)),
        ("C1", lambda t: t.assign(group=t["group"] == "holdout")),
        ("C1", lambda t: t.assign(score=t["score"].where(t["rank"] != 5))),
        ("C1", lambda t: pd.concat([t, t.head(1)])),
        ("C1", lambda t: t.head(0)),
    ],
)
def test_a_spoilt_audience_is_rejected_by_its_check(made: Made, outputs: Path, number: str, spoil: Spoil) -> None:
    data = made(42)
    spoil(answer(data.users(), data.seeds())).to_parquet(outputs / OUTPUT, index=False)
    assert number in failed(check(data, outputs))


def test_row_order_and_categorical_groups_are_free(made: Made, outputs: Path) -> None:
    data = made(42)
    audience = answer(data.users(), data.seeds()).sort_values("user_id")
    audience["group"] = audience["group"].astype("category")
    audience[["group", "rank", "user_id", "score"]].to_parquet(outputs / OUTPUT, index=False)
    assert failed(check(data, outputs)) == []


def test_a_stored_index_is_an_undeclared_column(made: Made, outputs: Path) -> None:
    data = made(42)
    answer(data.users(), data.seeds()).sort_values("user_id").to_parquet(outputs / OUTPUT)
    assert "index=False" in check(data, outputs)[0]["detail"]
