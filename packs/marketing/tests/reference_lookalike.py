# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "pandas", "pyarrow"]
# ///
"""Builds the lookalike audience: the reference answer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from audience_io import AudienceError, write_audience
from cdp_client import CdpError, get_user_features

AUDIENCE_SHARE, HOLDOUT_SHARE, NEIGHBOURS = 0.10, 0.20, 10


def read_seeds(path: Path, columns: list[str]) -> pd.DataFrame:
    """Reads the seed list, or says which file and column is at fault."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; it must hold the columns {', '.join(columns)}")
    seeds = pd.read_csv(path)
    for column in columns:
        if column not in seeds.columns:
            raise ValueError(f"{path}: no column {column}; columns here: {', '.join(map(str, seeds.columns))}")
    if seeds.empty:
        raise ValueError(f"{path}: no rows, so column {columns[0]} holds no seed")
    return seeds[columns]


def build(users: pd.DataFrame, seeds: pd.DataFrame, key: str, features: list[str]) -> pd.DataFrame:
    """Scores all users by their nearest seeds and takes the best tenth that are not seeds."""
    middle = users[features].median()
    everybody = users[features].fillna(middle).to_numpy(dtype=float)
    known = seeds[features].fillna(middle).to_numpy(dtype=float)
    spread = everybody.std(axis=0)
    gaps = np.linalg.norm((everybody[:, None, :] - known[None, :, :]) / spread, axis=2)
    nearest = np.partition(gaps, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    scored = users[[key]].assign(score=1 / (1 + np.sort(nearest, axis=1).mean(axis=1)))
    others = scored[~scored[key].isin(seeds[key])]
    audience = others.sort_values(["score", key], ascending=[False, True]).head(round(AUDIENCE_SHARE * len(users)))
    held = np.random.default_rng(20260101).choice(len(audience), round(HOLDOUT_SHARE * len(audience)), replace=False)
    group = np.full(len(audience), "target", dtype=object)
    group[held] = "holdout"
    return audience.assign(rank=np.arange(1, len(audience) + 1), group=group).rename(columns={key: "user_id"})


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description="Builds the lookalike audience.")
    parser.add_argument("--seeds", type=Path, default=Path("high_value_q1.csv"))
    parser.add_argument("--users", type=Path, default=Path("user_features.parquet"))
    parser.add_argument("--out", type=Path, default=Path("lookalike_audience_scored.parquet"))
    parser.add_argument("--id", default="user_id")
    parser.add_argument("--features", nargs=3, default=["purch_freq", "avg_ov", "days_last_purch"])
    given = parser.parse_args(arguments)
    columns = [given.id, *given.features]
    try:
        seeds = read_seeds(given.seeds, columns)
        users = get_user_features(columns, given.users)
        write_audience(build(users, seeds, given.id, given.features), given.out)
    except (ValueError, CdpError, AudienceError) as error:
        print(f"lookalike: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
