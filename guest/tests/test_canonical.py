"""Two pickles of the same content are the same, whichever equal strings happen to be one object."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from nl2code_guest.checkpoint.canonical import MAX_BYTES, is_same


def dumped(value: object) -> bytes:
    return pickle.dumps({"v": value}, 5)


def fresh(text: str) -> str:
    """An equal string that is another object."""
    return "".join(list(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["hello", "hello"], [fresh("hello"), fresh("hello")]),
        ({"k": 1, "l": "k"}, {fresh("k"): 1, "l": fresh("k")}),
        ([1 << 70, 1 << 70, 2.5, 2.5], [int(str(1 << 70)), 1 << 70, float("2.5"), 2.5]),
        ([b"abc", b"abc"], [bytes(bytearray(b"abc")), b"abc"]),
        ([["x"], ["x"]], [[fresh("x")], [fresh("x")]]),
        (["x", "x", float("nan")], ["x", fresh("x"), float("nan")]),
    ],
)
def test_the_identity_of_values_does_not_count(one: object, other: object) -> None:
    assert is_same(dumped(one), dumped(other))


SHARED: list[Any] = [1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1], [2]),
        ([1], [True]),
        ([1], [1.0]),
        (["a"], [b"a"]),
        ([[], []], [SHARED[:0]] * 2),
        ([SHARED, SHARED], [[1], [1]]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([None], [()]),
    ],
)
def test_content_and_the_identity_of_what_can_change_do(one: object, other: object) -> None:
    assert not is_same(dumped(one), dumped(other))


def test_what_is_too_long_to_look_at_is_compared_as_it_is() -> None:
    long = "x" * MAX_BYTES
    assert is_same(dumped([long]), dumped([fresh(long)]))
    assert not is_same(dumped([long, "ab", "ab"]), dumped([long, "ab", fresh("ab")]))
