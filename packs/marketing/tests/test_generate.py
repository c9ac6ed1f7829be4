"""The generator: what is planted, and that equal arguments give equal bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import generate
from conftest import ROOT, Data


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _run(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "generate.py"), *arguments],
        env={"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_equal_arguments_give_equal_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed, hash_seed in (("a", "7", "1"), ("b", "7", "2"), ("c", "8", "1")):
        ran = _run("--seed", seed, "--out", str(tmp_path / name), "--columns", "varied", hash_seed=hash_seed)
        assert ran.returncode == 0, ran.stderr
    first, again, other = (_digests(tmp_path / name) for name in "abc")
    assert first == again and set(first) == set(other)
    assert all(first[name] != other[name] for name in first)


def test_the_command_names_what_it_wrote(tmp_path: Path) -> None:
    made = json.loads(_run("--out", str(tmp_path / "with space")).stdout)
    assert [Path(path).name for path in made["inputs"]] == ["high_value_q1.csv", "user_features.parquet"]
    assert all(Path(path).is_file() for path in [*made["inputs"], *made["truth"]])
    assert list(made["columns"].values()) == ["user_id", "purch_freq", "avg_ov", "days_last_purch", "mkt_cd"]


def test_a_bad_argument_ends_in_one_sentence(tmp_path: Path) -> None:
    assert "whole number of 0 or more" in _run("--seed", "-1", "--out", str(tmp_path)).stderr
    (tmp_path / "file").write_text("")
    ran = _run("--out", str(tmp_path / "file" / "below"))
    assert ran.returncode == 1 and len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("seed", [42, 43, 7])
def test_the_data_is_as_planted(made: Callable[[int], Data], seed: int) -> None:
    data = made(seed)
    users, seeds = data.users(), data.seeds()
    truth = json.loads((data.truth / generate.TRUTH_FILE).read_text())
    kinds = {user: kind for kind, members in truth["kinds"].items() for user in members}
    assert Counter(kinds.values()) == {"seed": 100, "twin": 1000, "decoy": 1500, "big-spender": 500, "other": 6900}
    assert len(users) == 10_000 and set(kinds) == set(users["user_id"])
    assert set(seeds["user_id"]) == set(truth["kinds"]["seed"]) and "mkt_cd" not in seeds
    assert Counter(users["mkt_cd"]) == {"EU": 4000, "UK": 2500, "NA": 2000, "APAC": 1500}
    missing = users[users["purch_freq"].isna()]
    assert len(missing) == 500 and not missing["user_id"].isin(seeds["user_id"]).any()
    assert users.drop(columns="purch_freq").notna().all().all() and seeds.notna().all().all()
    by_kind = users.groupby(users["user_id"].map(kinds))
    shares = by_kind["mkt_cd"].value_counts(normalize=True).unstack()
    assert (shares[["EU", "UK", "NA", "APAC"]] == [0.4, 0.25, 0.2, 0.15]).all(axis=None)
    listed = seeds.merge(users, on="user_id", suffixes=("", "_table"))
    for name in ("purch_freq", "avg_ov", "days_last_purch"):
        assert (listed[name] == listed[f"{name}_table"]).all()


@pytest.mark.parametrize("seed", range(20))
def test_varied_names_are_other_names_and_fixed_by_the_seed(seed: int) -> None:
    names = generate.column_names(seed, varied=True)
    assert names == generate.column_names(seed, varied=True)
    assert not set(names.values()) & set(generate.COLUMNS) and len(set(names.values())) == len(generate.COLUMNS)


def test_only_the_truth_tells_the_kinds_apart(made: Callable[[int], Data]) -> None:
    data = made(42)
    users = data.users()
    truth = json.loads((data.truth / generate.TRUTH_FILE).read_text())
    twins = users["user_id"].isin(truth["kinds"]["twin"])
    position = pd.Series(range(len(users)))
    assert abs(position[twins].mean() - position.mean()) < 300
    assert abs(users.loc[twins, "user_id"].mean() - users["user_id"].mean()) < 300
