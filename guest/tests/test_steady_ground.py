"""While a save runs, the process is as the kernel made it; afterwards it is as the cells left it."""

from __future__ import annotations

import builtins
import gc
import json
import signal
import sys
from collections.abc import Iterator

import pytest

from nl2code_guest.checkpoint.steady import SteadyGround


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[SteadyGround]:
    """Ground that was made before a cell patched things."""
    ground = SteadyGround()
    monkeypatch.setattr(json, "dumps", lambda value: "mine")
    monkeypatch.delattr(json, "load")
    monkeypatch.setattr(builtins, "sorted", lambda values: "mine")
    yield ground


def test_patches_are_off_while_it_holds_and_on_again_afterwards(patched: SteadyGround) -> None:
    with patched.held():
        assert [json.dumps(1), str(sorted([2, 1])), hasattr(json, "load")] == ["1", "[1, 2]", True]
    assert [json.dumps(1), str(sorted([2, 1])), hasattr(json, "load")] == ["mine", "mine", False]


def test_signals_are_held_off_and_those_for_the_user_are_dropped() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: seen.append(number))
    try:
        with SteadyGround().held():
            signal.raise_signal(signal.SIGUSR1)
        assert seen == []
        signal.raise_signal(signal.SIGUSR1)
        assert seen == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_tracing_and_collection_rest_and_go_on() -> None:
    def trace(*_arguments: object) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with SteadyGround().held():
            inside = (sys.gettrace(), gc.isenabled())
        after = (sys.gettrace(), gc.isenabled())
    finally:
        sys.settrace(before)
    assert inside == (None, False)
    assert after == (trace, True)


def test_an_error_inside_leaves_nothing_behind(patched: SteadyGround) -> None:
    streams, mask = (sys.stdout, sys.stderr), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(ZeroDivisionError), patched.held():
        _ = 1 / 0
    assert (sys.stdout, sys.stderr) == streams
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    assert json.dumps(1) == "mine"
