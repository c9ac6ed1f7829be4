# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "matplotlib==3.11.2",
#   "numpy==2.4.6; python_version < '3.12'",
#   "numpy==2.5.5; python_version >= '3.12'",
#   "pandas==3.1.1",
#   "pyarrow==26.0.1",
#   "scikit-learn==1.9.1",
# ]
# ///
"""Builds a lookalike audience of the marketing pack's first request; test data for verification."""

import argparse
import sys

import matplotlib
import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

FEATURES = ["purch_freq", "avg_ov", "days_last_purch"]


def main() -> int:
    """Scores the users and writes the audience and a plot of its scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="high_value_q1.csv")
    parser.add_argument("--users", default="user_features.parquet")
    parser.add_argument("--out", default="lookalike_audience_scored.parquet")
    args = parser.parse_args()
    try:
        seeds, users = pd.read_csv(args.seeds), pd.read_parquet(args.users)
    except OSError as error:
        print(f"lookalike: {error}", file=sys.stderr)
        return 1
    filled = users[FEATURES].fillna(users[FEATURES].median())
    scaler = StandardScaler().fit(filled)
    near = NearestNeighbors(n_neighbors=10).fit(scaler.transform(seeds[FEATURES]))
    distance = near.kneighbors(scaler.transform(filled))[0].mean(axis=1)
    users = users.assign(score=-distance)
    users = users[~users["user_id"].isin(seeds["user_id"])]
    audience = users.sort_values(["score", "user_id"], ascending=[False, True]).head(len(filled) // 10)
    audience = audience.assign(rank=range(1, len(audience) + 1), group="target")
    held = np.random.default_rng(42).choice(len(audience), len(audience) // 5, replace=False)
    audience.iloc[held, audience.columns.get_loc("group")] = "holdout"
    audience[["user_id", "score", "rank", "group"]].to_parquet(args.out, index=False)
    plt.hist(audience["score"], bins=30)
    plt.savefig("scores.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
