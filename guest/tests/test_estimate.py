"""The size of variables is estimated in little time, and right to within what the choice of a child needs."""

from __future__ import annotations

import array
import time
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nl2code_guest.checkpoint.estimate import Estimate

MB = 1 << 20


class Held:
    """A user's object."""

    def __init__(self, value: object) -> None:
        self.value = value


def estimate(*values: object) -> int:
    found = Estimate(1 << 40)
    found.add(values)
    return found.bytes


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (np.zeros(MB), 8 * MB),
        (np.zeros((1024, 1024), np.int8)[::2], MB // 2),
        (pd.DataFrame({"a": np.zeros(MB), "b": np.zeros(MB, np.int32)}), 12 * MB),
        (pd.Series(np.zeros(MB)), 8 * MB),
        (pd.Index(np.arange(MB)), 8 * MB),
        (pa.table({"a": np.zeros(MB)}), 8 * MB),
        (bytes(5 * MB), 5 * MB),
        ("x" * MB, MB),
        (array.array("d", bytes(8 * MB)), 8 * MB),
        ([np.zeros(MB)] * 1 + [np.ones(MB)], 16 * MB),
        ({"a": {"b": [Held(np.zeros(MB))]}}, 8 * MB),
        ([{"n": number, "text": f"text {number}"} for number in range(100_000)], 30 * MB),
        (list(range(MB)), 40 * MB),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, int) else "",
)
def test_sizes_are_right_to_within_a_factor_of_two(value: object, size: int) -> None:
    assert size / 2 <= estimate(value) <= size * 2


def test_modules_and_classes_take_nothing_from_what_comes_after_them() -> None:
    assert estimate(np, pd, pa, Held, estimate, *([[n] * 50] for n in range(500)), np.zeros(MB)) > 8 * MB


def test_what_is_held_twice_counts_once() -> None:
    shared = np.zeros(MB)
    assert estimate([shared], {"a": shared}, shared) < 9 * MB


def test_it_takes_little_time_whatever_the_size() -> None:
    rows = [{"n": number} for number in range(300_000)]
    nested: Any = []
    for _ in range(10_000):
        nested = [nested]
    many = [Held([number]) for number in range(5_000)]
    took = []
    for _ in range(5):
        began = time.perf_counter()
        estimate(rows, nested, *many)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.02


def test_no_code_of_the_user_runs() -> None:
    class Trap:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

        def __len__(self) -> int:
            raise AssertionError("len")

        def __sizeof__(self) -> int:
            raise AssertionError("sizeof")

    Trap.__module__ = "__main__"

    class List(list[object]):
        def __len__(self) -> int:
            raise AssertionError("len")

        def __iter__(self) -> Any:
            raise AssertionError("iter")

    assert estimate(Trap(), List([1, 2])) < 1000


def test_it_stops_when_there_is_enough() -> None:
    found = Estimate(MB)
    found.add([np.zeros(MB) for _ in range(5)])
    assert found.bytes < 10 * MB
