"""The internal libraries: what they return, and the one sentence they end in on bad input."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import audience_io
import cdp_client
import metrics
from conftest import Data

Made = Callable[[int], Data]


@pytest.fixture
def folder(made: Made, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder, named by the environment."""
    monkeypatch.setenv("CDP_DATA_DIR", str(made(42).folder))
    return made(42).folder


def test_user_features_come_whole_or_by_column(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cdp_client.get_user_features()
    assert whole.shape == (10_000, 5)
    some = cdp_client.get_user_features(["avg_ov", "user_id"], source=folder / "user_features.parquet")
    assert list(some.columns) == ["avg_ov", "user_id"]
    monkeypatch.delenv("CDP_DATA_DIR")
    monkeypatch.chdir(folder)
    pd.testing.assert_frame_equal(cdp_client.get_user_features(), whole)


def test_query_takes_sql_with_values_or_the_name_of_a_table(folder: Path) -> None:
    assert len(cdp_client.query("high_value_q1")) == 100
    assert cdp_client.query("user_features")["mkt_cd"].value_counts()["EU"] == 4000
    joined = cdp_client.query(
        "SELECT f.mkt_cd, count(*) AS seeds FROM USER_FEATURES f JOIN high_value_q1 USING (user_id) "
        "WHERE f.mkt_cd <> ? GROUP BY 1 ORDER BY 2 DESC",
        ["APAC"],
    )
    assert joined.to_numpy().tolist() == [["EU", 40], ["UK", 25], ["NA", 20]]
    named = cdp_client.query(
        "WITH t AS (SELECT * FROM user_features) SELECT count(*) n FROM t WHERE mkt_cd = :m", {"m": "NA"}
    )
    assert named["n"].tolist() == [2000]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cdp_client.get_user_features(["nope"]), ["user_features.parquet", "no column nope", "purch_freq"]),
        (lambda: cdp_client.get_user_features(source="gone.parquet"), ["gone.parquet", "no such file"]),
        (lambda: cdp_client.get_user_features(source="broken.parquet"), ["broken.parquet", "not a readable parquet"]),
        (lambda: cdp_client.get_user_features(source="bare.csv"), ["bare.csv", "no rows", "user_id"]),
        (lambda: cdp_client.query("gone"), ["no table gone", "user_features"]),
        (lambda: cdp_client.query("DROP TABLE user_features"), ["must be a SELECT"]),
        (lambda: cdp_client.query("SELECT nope FROM high_value_q1"), ["query failed", "nope"]),
        (lambda: cdp_client.query("SELECT 1; SELECT 2"), ["query failed", "one statement"]),
    ],
)
def test_cdp_client_names_what_is_wrong(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object], words: list[str]
) -> None:
    for source in folder.glob("*.*"):
        (tmp_path / source.name).symlink_to(source)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no PAR1")
    (tmp_path / "bare.csv").write_text("user_id,x\n")
    monkeypatch.setenv("CDP_DATA_DIR", str(tmp_path))
    with pytest.raises(cdp_client.CdpError) as raised:
        call()
    assert all(word in str(raised.value) for word in words) and "\n" not in str(raised.value)


def _audience() -> pd.DataFrame:
    return pd.DataFrame({"user_id": [3, 1, 2], "score": [0.9, 0.8, 0.7], "group": ["target", "holdout", "target"]})


def test_an_audience_is_written_in_order_without_index_and_with_equal_bytes(tmp_path: Path) -> None:
    first = audience_io.write_audience(_audience().set_index(pd.Index([7, 8, 9])), tmp_path / "a.parquet")
    second = audience_io.write_audience(_audience(), str(tmp_path / "b.parquet"))
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()
    pd.testing.assert_frame_equal(pd.read_parquet(first), _audience())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.head(0), "no rows"),
        (lambda t: t.drop(columns="user_id"), "key column user_id is missing"),
        (lambda t: t.assign(user_id=[1, 1, 2]), "repeats 1"),
        (lambda t: t.assign(user_id=[1, None, 2]), "1 missing values"),
        (lambda t: t.assign(score=[1.0, np.inf, 2.0]), "column score has missing or infinite"),
        (lambda t: t.assign(group="treated"), "'treated'"),
        (lambda t: t.assign(mixed=[1, "a", {}]), "cannot be written"),
        (lambda t: pd.concat([t, t[["score"]]], axis=1), "stands twice"),
    ],
)
def test_a_bad_audience_is_named_and_leaves_no_file(
    tmp_path: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    with pytest.raises(audience_io.AudienceError, match=words):
        audience_io.write_audience(spoil(_audience()), tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_an_audience_needs_a_parquet_path_that_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(audience_io.AudienceError, match="parquet file"):
        audience_io.write_audience(_audience(), tmp_path / "a.csv")
    with pytest.raises(audience_io.AudienceError, match="cannot be written"):
        audience_io.write_audience(_audience(), tmp_path / "no" / "a.parquet")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(audience_io.AudienceError, match="cannot be written"):
        audience_io.write_audience(_audience(), tmp_path / "folder.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.parquet"]


def test_validate_schema_accepts_what_is_declared_and_names_what_is_not() -> None:
    declared = {"user_id": "int", "score": "float", "group": "str"}
    audience_io.validate_schema(_audience(), declared, key="user_id")
    for frame, columns, words in (
        (_audience(), {**declared, "rank": "int"}, "rank is missing"),
        (_audience().assign(more=1), declared, "more is not declared"),
        (_audience().assign(score="a"), declared, "score is str, not float"),
        (_audience().assign(group=[None, "a", "b"]), declared, "group has 1 missing"),
        (_audience(), {"user_id": "number"}, "unknown type number"),
        (_audience().assign(user_id=1), declared, "repeats 1"),
    ):
        with pytest.raises(audience_io.AudienceError, match=words):
            audience_io.validate_schema(frame, columns, key="user_id")


def test_equal_values_get_equal_scores_and_the_best_get_five() -> None:
    table = pd.DataFrame(
        {"recency_days": [1, 2, 3, 4, 5], "orders": [1, 1, 1, 1, 9], "revenue_eur": [10.0, 20.0, 20.0, 20.0, 50.0]},
        index=list("abcde"),
    )
    scores = metrics.rfm_score(table)
    assert scores["r"].tolist() == [5, 4, 3, 2, 1]
    assert scores["f"].tolist() == [1, 1, 1, 1, 5]
    assert scores["m"].tolist() == [1, 2, 2, 2, 5]
    assert list(scores.index) == list("abcde")


def test_rfm_scores_equal_their_definition_on_tied_data() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"days": rng.integers(0, 365, 700), "n": rng.poisson(2, 700), "eur": rng.integers(1, 90, 700)})
    scores = metrics.rfm_score(table, "days", "n", "eur")
    for column, score, sign in (("days", "r", -1), ("n", "f", 1), ("eur", "m", 1)):
        values = sign * table[column].to_numpy()
        expected = [1 + 5 * int((values < value).sum()) // len(values) for value in values]
        assert scores[score].tolist() == expected


def test_predicted_value_halves_with_silence() -> None:
    table = pd.DataFrame({"purch_freq": [2, 2], "avg_ov": [50.0, 50.0], "days_last_purch": [0, 180]})
    assert metrics.ltv_predict(table).tolist() == [100.0, 50.0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: metrics.rfm_score(t), "column recency_days is missing"),
        (lambda t: metrics.rfm_score(t.head(0), "a", "a", "a"), "no rows"),
        (lambda t: metrics.rfm_score(t, "a", "b", "a"), "column b is str, not a number"),
        (lambda t: metrics.rfm_score(t, "a", "c", "a"), "column c has 1 missing"),
        (lambda t: metrics.ltv_predict(t, "a", "d", "a"), "column d has negative"),
        (lambda t: metrics.ltv_predict(t, "a", "a", "a", half_life_days=0), "half_life_days is 0"),
    ],
)
def test_metrics_name_the_column_that_cannot_be_scored(call: Callable[[pd.DataFrame], object], words: str) -> None:
    table = pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1.0, None], "d": [-1, 2]})
    with pytest.raises(metrics.MetricsError, match=words):
        call(table)
