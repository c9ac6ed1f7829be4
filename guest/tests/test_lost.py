"""A lost variable says what happened, whatever is done with it, and is saved on as what it is."""

from __future__ import annotations

import operator
import os
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from nl2code_guest.checkpoint.lost import Lost, VariableLost, describe

SENTENCE = (
    "The variable 'db' (sqlite3.Connection) was lost when the kernel was restored after cell 17: "
    "It can't be saved. Make it again: db = connect()"
)


@pytest.fixture
def lost() -> Any:
    return Lost("db", "sqlite3.Connection", 17, "It can't be saved.", "Make it again: db = connect()")


@pytest.mark.parametrize(
    "use",
    [
        lambda v: v.execute("select 1"),
        lambda v: setattr(v, "x", 1),
        lambda v: delattr(v, "x"),
        lambda v: v(),
        lambda v: v[0],
        lambda v: operator.setitem(v, 0, 1),
        lambda v: operator.delitem(v, 0),
        lambda v: len(v),
        lambda v: bool(v),
        lambda v: not v,
        lambda v: list(v),
        lambda v: next(v),
        lambda v: 1 in v,
        lambda v: v + 1,
        lambda v: 1 + v,
        lambda v: v @ v,
        lambda v: -v,
        lambda v: v == 1,
        lambda v: v != 1,
        lambda v: v < 1,
        lambda v: hash(v),
        lambda v: {v},
        lambda v: repr(v),
        lambda v: str(v),
        lambda v: f"{v}",
        lambda v: print([v]),
        lambda v: int(v),
        lambda v: float(v),
        lambda v: range(3)[v],
        lambda v: round(v),
        lambda v: os.fspath(v),
        lambda v: dir(v),
        lambda v: hasattr(v, "x"),
        lambda v: bytes(v),
        lambda v: sorted([v, v]),
    ],
)
def test_any_use_says_what_was_lost_and_how_to_make_it_again(lost: Any, use: Callable[[Any], object]) -> None:
    with pytest.raises(VariableLost) as raised:
        use(lost)
    assert str(raised.value) == SENTENCE


def test_entering_or_awaiting_it_says_so_too(lost: Any) -> None:
    with pytest.raises(VariableLost), lost:
        pass

    async def wait() -> None:
        await lost

    with pytest.raises(VariableLost):
        wait().send(None)


def test_it_can_be_asked_for_and_replaced_without_an_error(lost: Any) -> None:
    assert type(lost) is Lost
    assert lost is not None
    assert describe(lost) == ("db", "sqlite3.Connection", 17, SENTENCE)


def test_it_is_pickled_as_what_it_is(lost: Any) -> None:
    assert describe(pickle.loads(pickle.dumps({"a": lost}, 5))["a"]) == describe(lost)


def test_numpy_and_pandas_raise_it_as_well(lost: Any) -> None:
    import numpy as np
    import pandas as pd

    for use in (np.asarray, np.sum, pd.DataFrame, pd.Series(range(3)).add):
        with pytest.raises(VariableLost):
            use(lost)


def test_long_reasons_are_cut() -> None:
    assert len(describe(Lost("x", "t", 1, "y" * 5000, "z" * 5000))[3]) < 2200
