"""Makes the data of the marketing requests from a seed, with the planted truth beside it.

Run as ``python generate.py --seed 42 --out DIR``. It writes ``DIR/high_value_q1.csv``,
``DIR/user_features.parquet`` and ``DIR/truth/lookalike_truth.json``, and prints one JSON object that
names them. Equal arguments and library versions give equal bytes. The truth is for checks only: it
never enters a sandbox that runs generated code.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Ints: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Draw: TypeAlias = Callable[[np.random.Generator, int], Floats]

DEFAULT_SEED = 42
SEEDS_FILE = "high_value_q1.csv"
USERS_FILE = "user_features.parquet"
TRUTH_FILE = "lookalike_truth.json"

ID, FREQUENCY, ORDER_VALUE, DAYS, MARKET = "user_id", "purch_freq", "avg_ov", "days_last_purch", "mkt_cd"
COLUMNS = (ID, FREQUENCY, ORDER_VALUE, DAYS, MARKET)
SYNONYMS: dict[str, tuple[str, ...]] = {
    ID: ("uid", "customer_no", "member_ref"),
    FREQUENCY: ("order_freq", "orders_cnt", "n_purchases"),
    ORDER_VALUE: ("aov_eur", "mean_basket", "avg_basket_eur"),
    DAYS: ("recency_days", "days_since_order", "last_order_age_d"),
    MARKET: ("market", "region_cd", "sales_area"),
}
MARKET_SHARES = {"EU": 0.40, "UK": 0.25, "NA": 0.20, "APAC": 0.15}
USERS_WITHOUT_FREQUENCY = 500
FIRST_ID = 100_001


@dataclass(frozen=True)
class Kind:
    """One planted kind of user and how its three features are drawn."""

    name: str
    count: int
    frequency: Draw
    order_value: Draw
    days: Draw


def _normal(mean: float, deviation: float) -> Draw:
    return lambda rng, n: rng.normal(mean, deviation, n)


KINDS: tuple[Kind, ...] = (
    Kind("seed", 100, _normal(9, 1.2), _normal(480, 90), _normal(25, 8)),
    Kind("twin", 1_000, _normal(9, 1.2), _normal(480, 90), _normal(25, 8)),
    Kind("decoy", 1_500, _normal(3, 0.8), _normal(480, 90), _normal(25, 8)),
    Kind("big-spender", 500, _normal(20, 3), _normal(1200, 150), _normal(12, 5)),
    Kind(
        "other",
        6_900,
        lambda rng, n: rng.gamma(2, 1.6, n),
        lambda rng, n: rng.lognormal(np.log(320), 0.5, n),
        lambda rng, n: rng.exponential(110, n),
    ),
)


@dataclass(frozen=True)
class Lookalike:
    """The data of the lookalike request: one entry per user, seeds among them, in order of user id."""

    ids: Ints
    kinds: list[str]
    frequency: Ints
    frequency_known: np.ndarray[Any, np.dtype[np.bool_]]
    order_value: Floats
    days: Ints
    market: list[str]


def make_lookalike(seed: int) -> Lookalike:
    """Draws all 10,000 users of the lookalike request.

    Args:
        seed: Seed of every draw.

    Returns:
        The users, of which 100 are seeds and 500 others have no frequency.
    """
    rng = np.random.default_rng(seed)
    total = sum(kind.count for kind in KINDS)
    kinds = np.repeat([kind.name for kind in KINDS], [kind.count for kind in KINDS])
    frequency = np.concatenate([kind.frequency(rng, kind.count) for kind in KINDS])
    order_value = np.concatenate([kind.order_value(rng, kind.count) for kind in KINDS])
    days = np.concatenate([kind.days(rng, kind.count) for kind in KINDS])
    market = np.concatenate([_markets(rng, kind.count) for kind in KINDS])
    known = np.ones(total, dtype=np.bool_)
    known[rng.choice(np.flatnonzero(kinds != "seed"), USERS_WITHOUT_FREQUENCY, replace=False)] = False
    order = rng.permutation(total)
    return Lookalike(
        ids=np.arange(FIRST_ID, FIRST_ID + total, dtype=np.int64),
        kinds=[str(kind) for kind in kinds[order]],
        frequency=np.maximum(np.rint(frequency), 0).astype(np.int64)[order],
        frequency_known=known[order],
        order_value=np.maximum(np.round(order_value, 2), 1.0)[order],
        days=np.maximum(np.rint(days), 0).astype(np.int64)[order],
        market=[str(code) for code in market[order]],
    )


def _markets(rng: np.random.Generator, count: int) -> np.ndarray[Any, np.dtype[np.str_]]:
    shares = [round(count * share) for share in MARKET_SHARES.values()]
    return rng.permutation(np.repeat(list(MARKET_SHARES), shares))


def column_names(seed: int, varied: bool) -> dict[str, str]:
    """Says what each column is called in the files.

    Args:
        seed: Seed that picks the other names.
        varied: False for the usual names, True for other ones.

    Returns:
        The name in the files by the usual name.
    """
    if not varied:
        return {name: name for name in COLUMNS}
    rng = np.random.default_rng([seed, 1])
    return {name: SYNONYMS[name][int(rng.integers(len(SYNONYMS[name])))] for name in COLUMNS}


def write_lookalike(out: Path, seed: int, *, varied: bool = False, shuffled: bool = False) -> dict[str, Any]:
    """Writes the inputs and the truth of the lookalike request.

    Args:
        out: Folder to write to; made if missing.
        seed: Seed of the data and of the varied names.
        varied: Whether columns get other names.
        shuffled: Whether columns stand in another order.

    Returns:
        ``inputs`` and ``truth`` (absolute paths) and ``columns`` (name in the files by usual name).
    """
    data = make_lookalike(seed)
    names = column_names(seed, varied)
    columns: dict[str, pa.Array] = {
        ID: pa.array(data.ids),
        FREQUENCY: pa.array(data.frequency, mask=~data.frequency_known),
        ORDER_VALUE: pa.array(data.order_value),
        DAYS: pa.array(data.days),
        MARKET: pa.array(data.market, type=pa.string()),
    }
    order = list(COLUMNS)
    if shuffled:
        order = [DAYS, MARKET, ORDER_VALUE, ID, FREQUENCY]
    users = pa.table({names[name]: columns[name] for name in order})
    is_seed = np.array([kind == "seed" for kind in data.kinds])
    listed = np.random.default_rng([seed, 2]).permutation(np.flatnonzero(is_seed))
    seeds = pa.table({names[name]: columns[name].take(pa.array(listed)) for name in order if name != MARKET})
    truth = {
        "request": "lookalike",
        "seed": seed,
        "columns": names,
        "kinds": {kind.name: [int(i) for i, k in zip(data.ids, data.kinds) if k == kind.name] for kind in KINDS},
    }
    seeds_path, users_path, truth_path = out / SEEDS_FILE, out / USERS_FILE, out / "truth" / TRUTH_FILE
    truth_path.parent.mkdir(parents=True, exist_ok=True)
    with seeds_path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(seeds.column_names)
        writer.writerows(zip(*(column.to_pylist() for column in seeds.columns)))
    pq.write_table(users, users_path)
    truth_path.write_text(json.dumps(truth, separators=(",", ":")) + "\n", encoding="utf-8")
    return {
        "inputs": [os.path.abspath(seeds_path), os.path.abspath(users_path)],
        "truth": [os.path.abspath(truth_path)],
        "columns": names,
    }


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Makes the data of the marketing requests.")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of the data, 0 or more (default 42)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made if missing")
    parser.add_argument("--columns", choices=("usual", "varied"), default="usual", help="names of the columns")
    parser.add_argument("--shuffle-columns", action="store_true", help="put the columns in another order")
    given = parser.parse_args(arguments)
    if given.seed < 0:
        parser.error(f"--seed is {given.seed}; give a whole number of 0 or more")
    try:
        made = write_lookalike(given.out, given.seed, varied=given.columns == "varied", shuffled=given.shuffle_columns)
    except OSError as error:
        print(f"generate.py: cannot write to {given.out}: {error.strerror}", file=sys.stderr)
        return 1
    print(json.dumps(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
