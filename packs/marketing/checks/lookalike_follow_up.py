"""What a follow-up of the lookalike request must leave alone, seen from what was verified before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from declared import Unfit

MAX_MOVED_WITH_SEEDS = 0.6
MIN_COMPARED = 30
NEAREST = 10


@dataclass(frozen=True)
class Before:
    """The audience that was verified last, and whether the market was asked for since."""

    audience: pd.DataFrame
    only_holdout: bool
    new_market: bool


def check_kept(audience: pd.DataFrame, before: pd.DataFrame) -> str:
    """A follow-up that changes the holdout changes neither who is selected nor the scores.

    Args:
        audience: The new audience: ``user_id``, ``score``.
        before: The one before.

    Returns:
        The detail of a pass.

    Raises:
        Unfit: Users left or came, or scores moved.
    """
    left = int((~before["user_id"].isin(audience["user_id"])).sum())
    came = int((~audience["user_id"].isin(before["user_id"])).sum())
    if left or came:
        raise Unfit(f"{left} selected users left and {came} came, although only the holdout was to change")
    both = before.merge(audience, on="user_id", suffixes=("_before", "_now"))
    moved = int((~np.isclose(both["score_before"], both["score_now"], rtol=1e-9, atol=0)).sum())
    if moved:
        raise Unfit(f"{moved} selected users have another score, although only the holdout was to change")
    return f"the same {len(audience)} users with the same scores as before"


def check_whole_seed_list(
    audience: pd.DataFrame, before: pd.DataFrame, users: pd.DataFrame, seeds: pd.DataFrame, features: list[str]
) -> str | None:
    """A market limits who is scored, and not which seeds they are held against.

    Whichever way likeness is scored, taking seeds away moves users in the ranking in a direction that the seeds' own
    features tell. Four plain ways to score show that direction; a ranking that moved along with one of them lost its
    seeds. Scoring the market alone, with all seeds, moves it in other directions or not at all.

    Args:
        audience: The new audience: ``user_id``, ``score``.
        before: The one before the market was asked for.
        users: The users of the market.
        seeds: The whole seed list.
        features: Columns of both that likeness is scored on.

    Returns:
        The detail of a pass; None when too few users stand in both audiences.

    Raises:
        Unfit: The ranking moved as it does when other markets' seeds are left out.
    """
    both = before.merge(audience, on="user_id", suffixes=("_before", "_now"))
    local = seeds["user_id"].isin(users["user_id"]).to_numpy()
    if len(both) < MIN_COMPARED or local.sum() <= len(features) or local.all():
        return None
    moved = _ranks(both["score_now"]) - _ranks(both["score_before"])
    if not moved.any():
        return "the ranking of those selected before is as it was"
    middle = users[features].median()
    known = users.set_index("user_id")[features].reindex(both["user_id"]).fillna(middle).to_numpy(dtype=float)
    everybody = users[features].fillna(middle).to_numpy(dtype=float)
    listed = seeds[features].fillna(middle).to_numpy(dtype=float)
    pairs = zip(_scores(known, listed, everybody), _scores(known, listed[local], everybody), strict=True)
    along = max(_correlation(moved, _ranks(there) - _ranks(whole)) for whole, there in pairs)
    if along > MAX_MOVED_WITH_SEEDS:
        raise Unfit("the ranking moved as it does when seeds of other markets are left out; seeds are the whole list")
    return "the ranking did not move as it does without the seeds of other markets"


def _scores(users: Any, seeds: Any, everybody: Any) -> list[Any]:
    middle, spread = seeds.mean(axis=0), np.maximum(seeds.std(axis=0), 1e-9)
    inverse = np.linalg.pinv(np.cov(seeds, rowvar=False))
    gap = users - middle
    return [
        _nearest(users, seeds, np.maximum(everybody.std(axis=0), 1e-9)),
        _nearest(users, seeds, spread),
        -np.linalg.norm(gap / spread, axis=1),
        -np.einsum("ij,jk,ik->i", gap, inverse, gap),
    ]


def _nearest(users: Any, seeds: Any, spread: Any) -> Any:
    gaps = np.linalg.norm((users[:, None, :] - seeds[None, :, :]) / spread, axis=2)
    count = min(NEAREST, len(seeds))
    return -np.sort(gaps, axis=1)[:, :count].mean(axis=1)


def _ranks(values: Any) -> Any:
    return pd.Series(np.asarray(values, dtype=float)).rank().to_numpy()


def _correlation(a: Any, b: Any) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0
