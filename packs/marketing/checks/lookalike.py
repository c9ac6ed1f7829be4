"""Checks of the lookalike audience: C1 and (1) to (5), for follow-ups (6) and (7). They judge output, never method.

What the audience shall be (shares, markets) is read from what was asked in the session.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

from asked import Asked, only_the_holdout, read_asked
from declared import CheckContext, CheckResult, Table, Unfit, check_files, read_declared, shown
from lookalike_follow_up import Before, check_kept, check_whole_seed_list

SEEDS_FILE = "high_value_q1.csv"
USERS_FILE = "user_features.parquet"
TRUTH_FILE = "lookalike_truth.json"
OUTPUT = Table(
    path="lookalike_audience_scored.parquet",
    key="user_id",
    columns={"user_id": "int", "score": "float", "rank": "int", "group": "str"},
)
MAX_INPUT_BYTES = 256 << 20

MAX_MARKETS = 50
MIN_DISTINCT_SCORES = 100
#: Largest standardised difference of a random holdout of 200 among 1,000; smaller groups differ more by chance.
MAX_IMBALANCE = 0.35
USUAL_GROUPS = 1 / 200 + 1 / 800
MIN_ALIKE = 0.80


@dataclass(frozen=True)
class Inputs:
    """The request's inputs, the user id under the name ``user_id`` in both."""

    users: pd.DataFrame
    seeds: pd.DataFrame
    id_name: str
    features: list[str]


@dataclass(frozen=True)
class Case:
    """All that the numbered checks look at.

    ``scored`` are the users of the markets asked for, None if that is not clear; ``alike`` are those planted to be
    found, if the truth is known; ``before`` is what a follow-up goes on from.
    """

    audience: pd.DataFrame
    inputs: Inputs
    asked: Asked
    scored: pd.DataFrame | None
    alike: set[int] | None
    before: Before | None


class NotRun(Exception):
    """Why a check cannot be run; the message is its detail."""


def run(ctx: CheckContext) -> list[CheckResult]:
    """Runs C1 and the numbered checks.

    Args:
        ctx: Folders of inputs, outputs and truth. The key may be called ``user_id``, as declared, or
            what the inputs call it.

    Returns:
        One result a check, in order; a check that cannot be run says why.
    """
    inputs: Inputs | None = None
    unread = ""
    truth: dict[str, Any] | None = None
    try:
        truth = _read_truth(ctx.truth)
        inputs = _read_inputs(ctx.inputs, truth)
    except NotRun as reason:
        unread = str(reason)
    results: list[CheckResult] = []
    try:
        check_files(ctx, [OUTPUT.path])
        audience = read_declared(ctx.outputs, OUTPUT, (inputs.id_name,) if inputs else ())
    except Unfit as fault:
        results.append(_result("C1 schema", False, str(fault)))
        return results + [_result(name, None, "not run: the output is not as declared") for name, _ in CHECKS]
    results.append(_result("C1 schema", True, f"{len(audience)} rows, columns, types and key as declared"))
    if inputs is None:
        return results + [_result(name, None, f"not run: {unread}") for name, _ in CHECKS]
    case = _case(ctx, audience, inputs, truth)
    kept = (("6 selection kept", _check_kept),) if case.before and case.before.only_holdout else ()
    market = (("7 whole seed list", _check_seed_list),) if case.before and case.before.new_market else ()
    for name, check in (*CHECKS, *kept, *market):
        try:
            detail = check(case)
            results.append(_result(name, True, detail))
        except Unfit as fault:
            results.append(_result(name, False, str(fault)))
        except NotRun as reason:
            results.append(_result(name, None, f"not run: {reason}"))
    return results


def _result(name: str, ok: bool | None, detail: str) -> CheckResult:
    return {"name": name, "ok": ok, "detail": detail, "path": OUTPUT.path}


def _case(ctx: CheckContext, audience: pd.DataFrame, inputs: Inputs, truth: dict[str, Any] | None) -> Case:
    prompts: tuple[str, ...] = tuple(getattr(ctx, "asked", ()))
    groups = _market_columns(inputs.users)
    known = {value for values in groups.values() for value in values}
    asked = read_asked(prompts, known)
    scored: pd.DataFrame | None = inputs.users
    if asked.markets is None:
        scored = None
    elif asked.markets:
        column = next((name for name, values in groups.items() if asked.markets <= values), None)
        scored = None if column is None else inputs.users[inputs.users[column].isin(asked.markets)]
    alike = set(truth["kinds"]["twin"]) if truth else None
    return Case(audience, inputs, asked, scored, alike, _before(ctx, prompts, asked, known, inputs))


def _before(
    ctx: CheckContext, prompts: tuple[str, ...], asked: Asked, markets: set[str], inputs: Inputs
) -> Before | None:
    """The audience that was verified last, if there is one that can be read."""
    folder, answered = getattr(ctx, "before", None), int(getattr(ctx, "answered", 0))
    if folder is None or not 0 < answered < len(prompts):
        return None
    try:
        audience = read_declared(folder, OUTPUT, (inputs.id_name,))
    except Unfit:
        return None
    was, new = read_asked(prompts[:answered], markets), prompts[answered:]
    same = was.audience == asked.audience and was.markets == asked.markets
    return Before(
        audience,
        only_holdout=same and was.holdout != asked.holdout and only_the_holdout(new),
        new_market=bool(asked.markets) and was.markets == frozenset() and was.audience == asked.audience,
    )


def _market_columns(users: pd.DataFrame) -> dict[str, set[str]]:
    """Columns of few texts, such as the market, with their values."""
    columns = {}
    for name in users.columns:
        if types.is_string_dtype(users[name]) and users[name].nunique() <= MAX_MARKETS:
            columns[str(name)] = {str(value) for value in users[name].dropna().unique()}
    return columns


def _check_members(case: Case) -> str:
    if case.scored is None:
        raise NotRun("which markets are meant is not said in words that this check knows")
    if case.asked.audience is None:
        raise NotRun("how large the audience is to be is not said in words that this check knows")
    chosen, users = case.audience["user_id"], case.scored["user_id"]
    where = f"{', '.join(sorted(case.asked.markets))} " if case.asked.markets else ""
    expected = round(case.asked.audience * len(users))
    strangers = int((~chosen.isin(users)).sum())
    if strangers:
        raise Unfit(f"{strangers} selected users are not {where}users of {USERS_FILE}")
    if len(chosen) != expected:
        share = f"{100 * case.asked.audience:g} %"
        raise Unfit(f"{len(chosen)} users are selected; {share} of all {len(users)} {where}users are {expected}")
    seeds = int(chosen.isin(case.inputs.seeds["user_id"]).sum())
    if seeds:
        raise Unfit(f"{seeds} selected users are seeds; none may be")
    return f"{expected} distinct users of the table, none a seed"


def _check_scores(case: Case) -> str:
    ordered = case.audience.sort_values("rank", kind="stable")
    scores = ordered["score"].to_numpy(dtype=float)
    if not np.isfinite(scores).all():
        raise Unfit(f"{int((~np.isfinite(scores)).sum())} scores are not finite")
    distinct = len(np.unique(scores))
    if distinct < MIN_DISTINCT_SCORES:
        raise Unfit(f"the scores take {distinct} distinct values; at least {MIN_DISTINCT_SCORES} are needed to rank")
    if not np.array_equal(ordered["rank"].to_numpy(), np.arange(1, len(ordered) + 1)):
        raise Unfit(f"rank is not 1 to {len(ordered)}, each once")
    rises = np.flatnonzero(np.diff(scores) > 0)
    if len(rises):
        raise Unfit(f"the score rises from rank {rises[0] + 1} to rank {rises[0] + 2}; a higher score is a better rank")
    return f"{distinct} distinct finite scores, never rising with rank"


def _check_groups(case: Case) -> str:
    groups = case.audience["group"]
    others = [value for value in groups.unique() if value not in ("target", "holdout")]
    if others:
        raise Unfit(f"group holds {shown(others[0])}; it takes target and holdout only")
    if case.asked.holdout is None:
        raise NotRun("how large the holdout is to be is not said in words that this check knows")
    held, expected = int((groups == "holdout").sum()), round(case.asked.holdout * len(groups))
    if held != expected:
        raise Unfit(f"{held} of {len(groups)} users are held out; exactly {expected} must be")
    return f"{len(groups) - held} target, {held} holdout"


def _check_random(case: Case) -> str:
    held = (case.audience["group"] == "holdout").to_numpy()
    known = case.inputs.users.set_index("user_id")[case.inputs.features].reindex(case.audience["user_id"])
    measures = {"score": case.audience["score"], **{name: known[name] for name in case.inputs.features}}
    worst, where = 0.0, "score"
    for name, measure in measures.items():
        values = measure.to_numpy(dtype=float)
        gap = _imbalance(values[held], values[~held])
        if gap > worst:
            worst, where = gap, name
    groups = 1 / max(1, int(held.sum())) + 1 / max(1, int((~held).sum()))
    limit = MAX_IMBALANCE * float(np.sqrt(max(groups, USUAL_GROUPS) / USUAL_GROUPS))
    if not worst < limit:
        raise Unfit(
            f"the holdout is not a random part of the audience: {where} differs by {worst:.2f} standard "
            f"deviations between holdout and target; below {limit:.2f} is expected"
        )
    return f"largest standardised difference {worst:.2f} ({where})"


def _imbalance(held: Any, rest: Any) -> float:
    held, rest = held[np.isfinite(held)], rest[np.isfinite(rest)]
    if len(held) < 2 or len(rest) < 2:
        raise Unfit("holdout and target are too small to be compared")
    gap = abs(float(held.mean()) - float(rest.mean()))
    spread = float(np.sqrt((held.var(ddof=1) + rest.var(ddof=1)) / 2))
    if spread == 0:
        return 0.0 if gap == 0 else float("inf")
    return gap / spread


def _check_alike(case: Case) -> str:
    if case.alike is None:
        raise NotRun("no truth is known for these inputs")
    share = float(case.audience["user_id"].isin(case.alike).mean())
    if share < MIN_ALIKE:
        raise Unfit("too few of the selected users are like the seeds")
    # Findings reach the model, and what is planted must not: no share, no threshold.
    return "the selected users are like the seeds"


def _check_kept(case: Case) -> str:
    if case.before is None:
        raise NotRun("there is no audience before")
    return check_kept(case.audience, case.before.audience)


def _check_seed_list(case: Case) -> str:
    if case.before is None or case.scored is None:
        raise NotRun("there is no audience before")
    seeds, features = case.inputs.seeds, case.inputs.features
    detail = check_whole_seed_list(case.audience, case.before.audience, case.scored, seeds, features)
    if detail is None:
        raise NotRun("too few users stand in both audiences")
    return detail


CHECKS: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("1 members", _check_members),
    ("2 scores", _check_scores),
    ("3 group sizes", _check_groups),
    ("4 random holdout", _check_random),
    ("5 likeness", _check_alike),
)


def _read_truth(folder: Path | None) -> dict[str, Any] | None:
    path = folder / TRUTH_FILE if folder else None
    if path is None or not path.is_file():
        return None
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def _read_inputs(folder: Path, truth: dict[str, Any] | None) -> Inputs:
    for name in (SEEDS_FILE, USERS_FILE):
        if not (folder / name).is_file():
            raise NotRun(f"there is no input {name}")
        if (folder / name).stat().st_size > MAX_INPUT_BYTES:
            raise NotRun(f"input {name} is larger than {MAX_INPUT_BYTES} bytes")
    try:
        seeds = pd.read_csv(folder / SEEDS_FILE, sep=None, engine="python", encoding="utf-8-sig")
        users = pd.read_parquet(folder / USERS_FILE)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise NotRun(f"an input cannot be read ({shown(str(error))})") from error
    if truth is not None:
        names = truth["columns"]
        id_name, features = names["user_id"], [names[k] for k in ("purch_freq", "avg_ov", "days_last_purch")]
        if any(name not in table.columns for name in (id_name, *features) for table in (users, seeds)):
            raise NotRun("the truth belongs to other inputs")
        if not users[id_name].is_unique:
            raise NotRun(f"column {id_name} of {USERS_FILE} repeats")
    else:
        id_name, features = _guess_columns(users, seeds)
    rename = {id_name: "user_id"}
    return Inputs(users.rename(columns=rename), seeds.rename(columns=rename), id_name, features)


def _guess_columns(users: pd.DataFrame, seeds: pd.DataFrame) -> tuple[str, list[str]]:
    shared = [str(name) for name in users.columns if name in seeds.columns]
    keys = [
        name
        for name in shared
        if types.is_integer_dtype(users[name]) and users[name].is_unique and seeds[name].isin(users[name]).all()
    ]
    if not keys:
        raise NotRun(f"no whole-number column identifies the users of {USERS_FILE} and finds all of {SEEDS_FILE}")
    key = "user_id" if "user_id" in keys else keys[0]
    return key, [name for name in shared if name != key and types.is_numeric_dtype(users[name])]
