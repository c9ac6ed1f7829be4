"""Prints how well right and wrong ways separate on the lookalike data: ``python tests/calibrate.py [seeds]``.

The thresholds of the checks stand between the two; run it again whenever the generator changes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import generate  # noqa: E402
from solutions import FEATURES, SCORERS, WRONG_SCORERS, Scorer, answer  # noqa: E402

DRAWS = 500
LIMIT = 0.35
ALIKE = 0.80


def frames(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, set[int], set[int]]:
    """Makes the data of a seed: users, seeds, the planted twins and the seed users."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        generate.write_lookalike(out, seed)
        users = pd.read_parquet(out / generate.USERS_FILE)
        seeds = pd.read_csv(out / generate.SEEDS_FILE)
    data = generate.make_lookalike(seed)
    twins = {int(i) for i, kind in zip(data.ids, data.kinds) if kind == "twin"}
    return users, seeds, twins, set(seeds["user_id"])


def share_of_twins(users: pd.DataFrame, seeds: pd.DataFrame, twins: set[int], scorer: Scorer) -> float:
    """The share of planted twins among the best tenth without seeds."""
    return float(answer(users, seeds, scorer)["user_id"].isin(twins).mean())


def share_in_market(users: pd.DataFrame, seeds: pd.DataFrame, twins: set[int], scorer: Scorer) -> float:
    """The same share for the follow-up on the EU segment: seeds of the whole list, 400 EU users."""
    return float(answer(users[users["mkt_cd"] == "EU"], seeds, scorer)["user_id"].isin(twins).mean())


def seeds_in_best(users: pd.DataFrame, seeds: pd.DataFrame, scorer: Scorer) -> int:
    """How many seed users stand among the best tenth when nobody takes them out."""
    return int(answer(users, seeds, scorer, keep_seeds=True)["user_id"].isin(seeds["user_id"]).sum())


def balance(table: pd.DataFrame, held: np.ndarray) -> float:
    """The largest absolute standardised mean difference of score and features between holdout and the rest."""
    worst = 0.0
    for name in ["score", *FEATURES]:
        column = table[name].to_numpy(float)
        a, b = column[held], column[~held]
        a, b = a[np.isfinite(a)], b[np.isfinite(b)]
        worst = max(worst, abs(a.mean() - b.mean()) / np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2))
    return float(worst)


def worst_draw_and_lowest(users: pd.DataFrame, seeds: pd.DataFrame, seed: int) -> tuple[float, float, int]:
    """Largest imbalance of many random holdouts, that of the lowest 200 scores, and how many draws reach the limit."""
    picked = answer(users, seeds)[["user_id", "score"]].merge(users, on="user_id")
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(DRAWS):
        held = np.zeros(len(picked), dtype=bool)
        held[rng.choice(len(picked), 200, replace=False)] = True
        draws.append(balance(picked, held))
    lowest = balance(picked, np.arange(len(picked)) >= len(picked) - 200)
    return max(draws), lowest, sum(draw >= LIMIT for draw in draws)


def _span(values: Iterable[float]) -> str:
    known = list(values)
    return f"{min(known):.3f} to {max(known):.3f}"


def main(seeds: list[int]) -> int:
    """Prints the table; the exit code is 1 when a way stands on the wrong side of its threshold."""
    data = {seed: frames(seed) for seed in seeds}
    fails = 0
    print(f"seeds {seeds}\n{'share of twins, best 1,000':28} {'all users':>16} {'EU only':>16}  seeds left in")
    for good, ways in ((True, SCORERS), (False, WRONG_SCORERS)):
        for name, scorer in ways.items():
            whole = [share_of_twins(u, s, t, scorer) for u, s, t, _ in data.values()]
            market = [share_in_market(u, s, t, scorer) for u, s, t, _ in data.values()]
            left = [seeds_in_best(u, s, scorer) for u, s, _, _ in data.values()]
            fails += min(whole) < ALIKE if good else max(whole) >= ALIKE
            print(f"{name:28} {_span(whole):>16} {_span(market):>16}  {min(left)} to {max(left)}")
    ends = [worst_draw_and_lowest(u, s, seed) for seed, (u, s, _, _) in data.items()]
    over = sum(end[2] for end in ends)
    fails += over > DRAWS * len(seeds) / 1000 or min(end[1] for end in ends) < LIMIT
    print(
        f"holdout imbalance: worst of {DRAWS} random draws {_span(end[0] for end in ends)}; "
        f"{over} of {DRAWS * len(seeds)} draws reach {LIMIT}"
    )
    print(f"holdout imbalance: lowest 200 scores            {_span(end[1] for end in ends)}")
    return int(fails > 0)


if __name__ == "__main__":
    sys.exit(main([int(seed) for seed in sys.argv[1:]] or [42, 43, 7, *range(1, 7), *range(8, 11)]))
