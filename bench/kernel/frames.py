"""Ten frames of 100 MB each: ten columns of floats, or floats, whole numbers, dates, categories and texts."""

from __future__ import annotations

import numpy as np
import pandas as pd

FRAMES = 10


def make(kind: str, frames: int = FRAMES) -> list[pd.DataFrame]:
    """`num` or `mixed`."""
    rng = np.random.default_rng(1)
    return [numbers(rng) if kind == "num" else mixed(rng) for _ in range(frames)]


def numbers(rng: np.random.Generator) -> pd.DataFrame:
    rows = 1_250_000
    return pd.DataFrame({f"c{column}": rng.random(rows) for column in range(10)})


def mixed(rng: np.random.Generator) -> pd.DataFrame:
    rows = 1_000_000
    return pd.DataFrame(
        {
            **{f"c{column}": rng.random(rows) for column in range(6)},
            "whole": np.arange(rows),
            "small": rng.integers(0, 9, rows),
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="s"),
            "kind": pd.Categorical.from_codes(rng.integers(0, 3, rows), ["a", "b", "c"]),
            "text": pd.Series([f"user {number}" for number in range(rows)], dtype="str"),
        }
    )
