"""Right and wrong ways of answering the lookalike request, as small functions on data frames.

``SCORERS`` rank users by likeness; ``WRONG`` holds whole answers that a check must reject, each with
the number of that check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

Matrix: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Scorer: TypeAlias = Callable[[Matrix, Matrix], Matrix]
"""Takes the features of the users and of the seeds, nulls filled; gives one score a user, higher is more alike."""

FEATURES = ["purch_freq", "avg_ov", "days_last_purch"]


def _nearest(users: Matrix, seeds: Matrix) -> Matrix:
    distances, _ = NearestNeighbors(n_neighbors=10).fit(seeds).kneighbors(users)
    return np.asarray(-distances.mean(axis=1), dtype=float)


def knn_scaled_on_users(users: Matrix, seeds: Matrix) -> Matrix:
    """Mean distance to the nearest seeds after scaling on all users."""
    scaler = StandardScaler().fit(users)
    return _nearest(scaler.transform(users), scaler.transform(seeds))


def knn_scaled_on_seeds(users: Matrix, seeds: Matrix) -> Matrix:
    """Mean distance to the nearest seeds after scaling on the seeds."""
    scaler = StandardScaler().fit(seeds)
    return _nearest(scaler.transform(users), scaler.transform(seeds))


def centroid(users: Matrix, seeds: Matrix) -> Matrix:
    """Distance to the mean seed after scaling on the seeds."""
    scaler = StandardScaler().fit(seeds)
    return np.asarray(-np.linalg.norm(scaler.transform(users), axis=1), dtype=float)


def mahalanobis(users: Matrix, seeds: Matrix) -> Matrix:
    """Distance to the mean seed in the seeds' own covariance."""
    gap = users - seeds.mean(axis=0)
    inverse = np.linalg.inv(np.cov(seeds, rowvar=False))
    return np.asarray(-np.sqrt(np.einsum("ij,jk,ik->i", gap, inverse, gap)), dtype=float)


def _classified(model: Any, users: Matrix, seeds: Matrix) -> Matrix:
    rows = np.vstack([seeds, users])
    labels = np.r_[np.ones(len(seeds)), np.zeros(len(users))]
    return np.asarray(model.fit(rows, labels).predict_proba(users)[:, 1])


def quadratic_logit(users: Matrix, seeds: Matrix) -> Matrix:
    """Seeds against all users, with squares and products."""
    logit = LogisticRegression(max_iter=2000, class_weight="balanced")
    return _classified(make_pipeline(StandardScaler(), PolynomialFeatures(2), logit), users, seeds)


def forest(users: Matrix, seeds: Matrix) -> Matrix:
    """Seeds against all users, by a forest with large leaves."""
    model = RandomForestClassifier(200, min_samples_leaf=20, class_weight="balanced", random_state=0)
    return _classified(model, users, seeds)


def cosine_scaled_on_users(users: Matrix, seeds: Matrix) -> Matrix:
    """Mean cosine to the seeds after scaling on all users."""
    scaler = StandardScaler().fit(users)
    return np.asarray(cosine_similarity(scaler.transform(users), scaler.transform(seeds)).mean(axis=1), dtype=float)


def knn_unscaled(users: Matrix, seeds: Matrix) -> Matrix:
    """Wrong: order value swallows the other columns."""
    return _nearest(users, seeds)


def cosine_scaled_on_seeds(users: Matrix, seeds: Matrix) -> Matrix:
    """Wrong: after centring on the seeds their directions mean nothing."""
    scaler = StandardScaler().fit(seeds)
    return np.asarray(cosine_similarity(scaler.transform(users), scaler.transform(seeds)).mean(axis=1), dtype=float)


def linear_logit(users: Matrix, seeds: Matrix) -> Matrix:
    """Wrong: a plane rewards the extremes."""
    return _classified(make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")), users, seeds)


def value(users: Matrix, seeds: Matrix) -> Matrix:
    """Wrong: who spends most often and most recently is not who is alike."""
    del seeds
    scaled = StandardScaler().fit_transform(users)
    return np.asarray(scaled[:, 0] + scaled[:, 1] - scaled[:, 2])


SCORERS: dict[str, Scorer] = {
    "kNN, scaled on users": knn_scaled_on_users,
    "kNN, scaled on seeds": knn_scaled_on_seeds,
    "centroid": centroid,
    "Mahalanobis": mahalanobis,
    "quadratic logit": quadratic_logit,
    "forest": forest,
    "cosine, scaled on users": cosine_scaled_on_users,
}
WRONG_SCORERS: dict[str, Scorer] = {
    "kNN, unscaled": knn_unscaled,
    "cosine, scaled on seeds": cosine_scaled_on_seeds,
    "linear logit": linear_logit,
    "value ranking": value,
}


def scores(users: pd.DataFrame, seeds: pd.DataFrame, scorer: Scorer) -> pd.Series:
    """Scores every user, with missing values filled by the median of the users."""
    middle = users[FEATURES].median()
    return pd.Series(
        scorer(users[FEATURES].fillna(middle).to_numpy(float), seeds[FEATURES].fillna(middle).to_numpy(float)),
        index=users.index,
    )


def answer(
    users: pd.DataFrame,
    seeds: pd.DataFrame,
    scorer: Scorer = knn_scaled_on_users,
    *,
    keep_seeds: bool = False,
    drop_nulls: bool = False,
    coin: bool = False,
    lowest: bool = False,
    holdout: float = 0.2,
) -> pd.DataFrame:
    """Answers the lookalike request; each flag makes one mistake.

    Args:
        users: The user table under its usual column names.
        seeds: The seed list under the same names.
        scorer: How likeness is scored.
        keep_seeds: Leaves the seed users in.
        drop_nulls: Leaves users with missing values out, also of the count.
        coin: Draws the holdout by a coin flip a user.
        lowest: Takes the lowest scores as the holdout.
        holdout: Share of the audience that is held back.

    Returns:
        The audience: ``user_id, score, rank, group``.
    """
    if drop_nulls:
        users = users.dropna()
    scored = users.assign(score=scores(users, seeds, scorer))
    if not keep_seeds:
        scored = scored[~scored["user_id"].isin(seeds["user_id"])]
    size = len(users) // 10
    picked = scored.sort_values(["score", "user_id"], ascending=[False, True], kind="stable").head(size)
    rng = np.random.default_rng(0)
    held = np.zeros(len(picked), dtype=bool)
    count = round(holdout * len(picked))
    if coin:
        held = rng.random(len(picked)) < holdout
    elif lowest:
        held[-count:] = True
    else:
        held[rng.choice(len(picked), count, replace=False)] = True
    return pd.DataFrame(
        {
            "user_id": picked["user_id"].to_numpy(),
            "score": picked["score"].to_numpy(),
            "rank": np.arange(1, len(picked) + 1),
            "group": np.where(held, "holdout", "target"),
        }
    )


@dataclass(frozen=True)
class Wrong:
    """A wrong answer and the number of the check that must reject it."""

    name: str
    check: str
    make: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]


def in_market(users: pd.DataFrame, market: str = "EU") -> pd.DataFrame:
    """The users of one market."""
    return users[users["mkt_cd"] == market]


def local_seeds(users: pd.DataFrame, seeds: pd.DataFrame) -> pd.DataFrame:
    """The seeds that are users of the EU, which is not what a segment asks for."""
    return seeds[seeds["user_id"].isin(in_market(users)["user_id"])]


def cut_down(users: pd.DataFrame, seeds: pd.DataFrame) -> pd.DataFrame:
    """Selects among all users first and keeps those of the EU, which are not ten percent of them."""
    picked = answer(users, seeds, holdout=0.1)
    kept = picked[picked["user_id"].isin(in_market(users)["user_id"])]
    return kept.assign(rank=np.arange(1, len(kept) + 1)).reset_index(drop=True)


WRONG_HOLDOUT: tuple[Wrong, ...] = (
    Wrong("holdout still 20 %", "3", lambda u, s: answer(u, s)),
    Wrong("holdout of 10 % of all users", "3", lambda u, s: answer(u, s, holdout=1.0)),
    Wrong("coin flip for the new holdout", "3", lambda u, s: answer(u, s, holdout=0.1, coin=True)),
    Wrong("lowest scores as the new holdout", "4", lambda u, s: answer(u, s, holdout=0.1, lowest=True)),
    Wrong("other users selected", "6", lambda u, s: answer(u, s, centroid, holdout=0.1)),
    Wrong(
        "other scores", "6", lambda u, s: answer(u, s, holdout=0.1).assign(score=lambda table: 1 / (1 - table["score"]))
    ),
)
"""Wrong answers to: Can you also make the holdout 10%?"""

WRONG_MARKET: tuple[Wrong, ...] = (
    Wrong("market filter missing", "1", lambda u, s: answer(u, s, holdout=0.1)),
    Wrong("another market", "1", lambda u, s: answer(in_market(u, "UK"), s, holdout=0.1)),
    Wrong("filter after the selection", "1", cut_down),
    Wrong("holdout back at 20 %", "3", lambda u, s: answer(in_market(u), s)),
    Wrong("lowest scores as its holdout", "4", lambda u, s: answer(in_market(u), s, holdout=0.1, lowest=True)),
    Wrong("seeds filtered too", "7", lambda u, s: answer(in_market(u), local_seeds(u, s), holdout=0.1)),
    Wrong(
        "seeds filtered too, centroid", "7", lambda u, s: answer(in_market(u), local_seeds(u, s), centroid, holdout=0.1)
    ),
    Wrong("big spenders of the market", "5", lambda u, s: answer(in_market(u), s, value, holdout=0.1)),
)
"""Wrong answers to: Run this on the EU segment only. The holdout was last set to 10 %."""

WRONG: tuple[Wrong, ...] = (
    Wrong("distance on unscaled columns", "5", lambda u, s: answer(u, s, knn_unscaled)),
    Wrong("cosine after a scaler fitted on the seeds", "5", lambda u, s: answer(u, s, cosine_scaled_on_seeds)),
    Wrong("linear classifier", "5", lambda u, s: answer(u, s, linear_logit)),
    Wrong("value ranking", "5", lambda u, s: answer(u, s, value)),
    Wrong("seeds left in", "1", lambda u, s: answer(u, s, keep_seeds=True)),
    Wrong("rows with nulls dropped", "1", lambda u, s: answer(u, s, drop_nulls=True)),
    Wrong("coin flip for the holdout", "3", lambda u, s: answer(u, s, coin=True)),
    Wrong("lowest scores as the holdout", "4", lambda u, s: answer(u, s, lowest=True)),
)
