"""The checks of the two follow-ups of the lookalike request: right answers pass, each wrong one is rejected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from asked import Asked, only_the_holdout, read_asked
from conftest import OUTPUT, Data, check, failed
from declared import CheckResult
from solutions import SCORERS, WRONG_HOLDOUT, WRONG_MARKET, Wrong, answer, in_market

Made = Callable[[int], Data]

FIRST = (
    "Build a lookalike audience from seed list `high_value_q1.csv`. Use purchase frequency, average order value, and "
    "days since last purchase as features. Score all users in the `user_features` table. Output the top 10% as the "
    "target audience with a 20% holdout group. Write results to `lookalike_audience_scored.parquet`."
)
HOLDOUT = "Can you also make the holdout 10%?"
MARKET = "Run this on the EU segment only."
MARKETS = ("EU", "UK", "NA", "APAC")


def numbers(results: list[CheckResult]) -> list[str]:
    return [result["name"].split()[0] for result in results]


@pytest.mark.parametrize("seed", [42, 7])
def test_a_right_holdout_follow_up_passes_and_is_held_against_the_audience_before(
    made: Made, outputs: Path, seed: int
) -> None:
    users, seeds = made(seed).users(), made(seed).seeds()
    answer(users, seeds, holdout=0.1).to_parquet(outputs / OUTPUT)
    results = check(made(seed), outputs, asked=(FIRST, HOLDOUT), before=answer(users, seeds))
    assert numbers(results) == ["C1", "1", "2", "3", "4", "5", "6"]
    assert all(result["ok"] is True for result in results), results


@pytest.mark.parametrize("wrong", WRONG_HOLDOUT, ids=lambda wrong: str(wrong.name))
def test_a_wrong_holdout_follow_up_is_rejected_by_its_check(made: Made, outputs: Path, wrong: Wrong) -> None:
    users, seeds = made(42).users(), made(42).seeds()
    wrong.make(users, seeds).to_parquet(outputs / OUTPUT)
    assert wrong.check in failed(check(made(42), outputs, asked=(FIRST, HOLDOUT), before=answer(users, seeds)))


@pytest.mark.parametrize("name", list(SCORERS))
def test_every_right_method_passes_the_market_follow_up(made: Made, outputs: Path, name: str) -> None:
    users, seeds = made(42).users(), made(42).seeds()
    answer(in_market(users), seeds, SCORERS[name], holdout=0.1).to_parquet(outputs / OUTPUT)
    before = answer(users, seeds, SCORERS[name], holdout=0.1)
    results = check(made(42), outputs, asked=(FIRST, HOLDOUT, MARKET), before=before)
    assert numbers(results) == ["C1", "1", "2", "3", "4", "5", "7"]
    assert all(result["ok"] is True for result in results), results


@pytest.mark.parametrize("wrong", WRONG_MARKET, ids=lambda wrong: str(wrong.name))
def test_a_wrong_market_follow_up_is_rejected_by_its_check(made: Made, outputs: Path, wrong: Wrong) -> None:
    users, seeds = made(42).users(), made(42).seeds()
    wrong.make(users, seeds).to_parquet(outputs / OUTPUT)
    method = SCORERS["centroid"] if "centroid" in wrong.name else SCORERS["kNN, scaled on users"]
    before = answer(users, seeds, method, holdout=0.1)
    assert wrong.check in failed(check(made(42), outputs, asked=(FIRST, HOLDOUT, MARKET), before=before))


def test_the_market_follow_up_before_the_holdout_keeps_the_first_share(made: Made, outputs: Path) -> None:
    users, seeds = made(42).users(), made(42).seeds()
    answer(in_market(users), seeds).to_parquet(outputs / OUTPUT)
    assert failed(check(made(42), outputs, asked=(FIRST, MARKET), before=answer(users, seeds))) == []
    answer(in_market(users), seeds, holdout=0.1).to_parquet(outputs / OUTPUT)
    assert failed(check(made(42), outputs, asked=(FIRST, MARKET), before=answer(users, seeds))) == ["3"]


def test_without_a_verified_audience_before_the_rest_is_checked(made: Made, outputs: Path) -> None:
    users, seeds = made(42).users(), made(42).seeds()
    answer(users, seeds, holdout=0.1).to_parquet(outputs / OUTPUT)
    results = check(made(42), outputs, asked=(FIRST, HOLDOUT))
    assert numbers(results) == ["C1", "1", "2", "3", "4", "5"] and failed(results) == []
    broken = check(made(42), outputs, asked=(FIRST, HOLDOUT), before=pd.DataFrame({"x": [1]}))
    assert numbers(broken) == ["C1", "1", "2", "3", "4", "5"] and failed(broken) == []


def test_words_that_are_not_known_run_no_check_that_depends_on_them(made: Made, outputs: Path) -> None:
    users, seeds = made(42).users(), made(42).seeds()
    answer(users, seeds, holdout=0.1).to_parquet(outputs / OUTPUT)
    results = check(made(42), outputs, asked=(FIRST, "Halve the holdout, please."), before=answer(users, seeds))
    assert failed(results) == []
    assert next(result for result in results if result["name"] == "3 group sizes")["ok"] is None


ALL: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ((), Asked(0.1, 0.2, ALL)),
        ((FIRST,), Asked(0.1, 0.2, ALL)),
        ((FIRST, HOLDOUT), Asked(0.1, 0.1, ALL)),
        ((FIRST, HOLDOUT, MARKET), Asked(0.1, 0.1, frozenset({"EU"}))),
        ((FIRST, MARKET, "Now for all markets again, with the holdout at 5 percent."), Asked(0.1, 0.05, ALL)),
        ((FIRST, "Only the UK and NA, please"), Asked(0.1, 0.2, frozenset({"UK", "NA"}))),
        ((FIRST, "Hold back 12.5% of the audience instead of 20%."), Asked(0.1, 0.125, ALL)),
        ((FIRST, "Change the holdout from 20% to 15%."), Asked(0.1, 0.15, ALL)),
        ((FIRST, "Take the top 5% instead."), Asked(0.05, 0.2, ALL)),
        ((FIRST, "Of the audience, 15% should be held out."), Asked(0.1, 0.15, ALL)),
        ((FIRST, "Draw the holdout at random, please. Also plot the scores per market."), Asked(0.1, 0.2, ALL)),
        ((FIRST, "Make the holdout a tenth."), Asked(0.1, None, ALL)),
        ((FIRST, "Make it 10%."), Asked(None, None, ALL)),
        ((FIRST, "Double the audience."), Asked(None, 0.2, ALL)),
        ((FIRST, "Make the audience half as large."), Asked(None, 0.2, ALL)),
        ((FIRST, "Take the top 500 users instead."), Asked(None, 0.2, ALL)),
        ((FIRST, "Give me the top 1,000 instead of 10%."), Asked(None, 0.2, ALL)),
        ((FIRST, "Hold out one in ten instead."), Asked(0.1, None, ALL)),
        ((FIRST, "Use a holdout of 0.1."), Asked(0.1, None, ALL)),
        ((FIRST, "Hold out 100 users."), Asked(0.1, None, ALL)),
        ((FIRST, "Everybody except the EU, only."), Asked(0.1, 0.2, None)),
        ((FIRST, "Only the German market."), Asked(0.1, 0.2, None)),
        (("Build a lookalike audience.",), Asked(None, None, ALL)),
    ],
)
def test_the_newest_words_count_and_unknown_ones_are_a_doubt(prompts: tuple[str, ...], expected: Asked) -> None:
    assert read_asked(prompts, MARKETS) == expected


def test_a_prompt_that_touches_the_scores_is_not_about_the_holdout_only() -> None:
    assert only_the_holdout((HOLDOUT, "Use a 15% control group."))
    assert not only_the_holdout((HOLDOUT, "Make the holdout 5% and leave the decoys' features out."))
    assert not only_the_holdout((HOLDOUT, "Add a chart."))
