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
    holdout = np.zeros(len(picked), dtype=bool)
    if coin:
        holdout = rng.random(len(picked)) < 0.2
    elif lowest:
        holdout[-len(picked) // 5 :] = True
    else:
        holdout[rng.choice(len(picked), len(picked) // 5, replace=False)] = True
    return pd.DataFrame(
        {
            "user_id": picked["user_id"].to_numpy(),
            "score": picked["score"].to_numpy(),
            "rank": np.arange(1, len(picked) + 1),
            "group": np.where(holdout, "holdout", "target"),
        }
    )


@dataclass(frozen=True)
class Wrong:
    """A wrong answer and the number of the check that must reject it."""

    name: str
    check: str
    make: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]


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
