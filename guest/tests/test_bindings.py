"""What names are bound to: whatever was bound anew or is gone since the last look is told once, and nothing else."""

from __future__ import annotations

import random
from typing import Any

import pytest
from saved_session import SavedSession

from nl2code_guest.checkpoint.bindings import Bindings, Rebound, variables


def told(assigned: str, deleted: str = "") -> Rebound:
    return Rebound(frozenset(assigned.split()), frozenset(deleted.split()))


def test_every_change_is_told_once() -> None:
    namespace: dict[str, Any] = {"__builtins__": {}, "a": [1], "b": [2], "c": [3]}
    bindings = Bindings(namespace)
    assert bindings.look() == told("")
    namespace.update(b=[4], d=[5])
    assert bindings.look() == told("b d")
    assert bindings.look() == told("")
    del namespace["a"]
    namespace["d"] = [6]
    assert bindings.look() == told("d", "a")
    # Gone and there again, it stands at another place.
    kept = namespace.pop("b")
    namespace["b"] = kept
    assert bindings.look() == told("")
    namespace["b"], namespace["a"] = [7], kept
    assert bindings.look() == told("a b")
    assert bindings.in_order({"a", "b", "c", "gone"}) == ["c", "b", "a"]
    assert "a" in bindings and "__builtins__" not in bindings


def test_of_thousands_of_names_exactly_those_bound_anew_are_told() -> None:
    namespace: dict[str, Any] = {f"n{n}": [n] for n in range(2000)}
    bindings = Bindings(namespace)
    rng = random.Random(2)
    for count in (0, 1, 5, 2000):
        chosen = {"n0", "n255", "n256", "n1999", *(f"n{rng.randrange(2000)}" for _ in range(count))} if count else set()
        namespace.update({name: [0] for name in chosen})
        namespace[f"new{count}"] = 0
        assert bindings.look() == Rebound(frozenset({f"new{count}", *chosen}), frozenset())


def test_what_is_no_variable_is_not_told() -> None:
    namespace: dict[Any, Any] = {"__name__": "__main__", "a": [1]}
    bindings = Bindings(namespace)
    namespace.update({"__name__": "other", 7: "a number", "__doc__": "text"})
    assert bindings.look() == told("")
    del namespace["a"], namespace["__doc__"]
    namespace[7] = "another"
    assert bindings.look() == told("", "a")
    assert variables(namespace) == []


def test_a_look_that_a_key_of_a_cell_broke_has_not_been_one() -> None:
    class Broken(str):
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("not today")

        __hash__ = str.__hash__

    namespace: dict[Any, Any] = {"a": [1], "b": [2]}
    bindings = Bindings(namespace)
    del namespace["a"], namespace["b"]
    namespace[Broken("x")] = 0
    namespace["c"] = [3]
    with pytest.raises(RuntimeError):
        bindings.look()
    namespace.clear()
    namespace["c"] = [3]
    assert bindings.look() == told("c", "a b")


def test_any_sequence_of_changes_is_told_as_a_plain_comparison_tells_it() -> None:
    rng = random.Random(1)
    for _ in range(200):
        namespace: dict[str, Any] = {"__name__": "", **{f"n{n}": [n] for n in range(rng.randrange(6))}}
        bindings = Bindings(namespace)
        keep = []
        for _ in range(20):
            before = {name: namespace[name] for name in variables(namespace)}
            for _ in range(rng.randrange(4)):
                name = f"n{rng.randrange(8)}"
                if rng.random() < 0.4:
                    namespace.pop(name, None)
                else:
                    namespace[name] = rng.choice([[], *namespace.values()])
            keep.append(before)
            assigned = {name for name in variables(namespace) if namespace[name] is not before.get(name, keep)}
            assert bindings.look() == Rebound(frozenset(assigned), frozenset(before.keys() - namespace.keys()))
            assert bindings.in_order(set(namespace) | {"gone"}) == variables(namespace)


def test_what_a_thread_changes_between_two_cells_is_saved_with_the_next_one(session: SavedSession) -> None:
    session.run(
        "import threading\ngo, seen, count = threading.Event(), [], 1\ndef work():\n    global count\n    go.wait()\n"
        "    seen.append(1)\n    count = 2\nthread = threading.Thread(target=work)\nthread.start()"
    )
    session.show("(go.set(), thread.join())")
    session.run("other = 1\ndel thread").again()
    assert session.show("(seen, count)") == "([1], 2)"


def test_what_code_that_runs_in_a_save_binds_is_saved_with_the_next_one(session: SavedSession) -> None:
    session.run(
        "count = 0\nclass Counted:\n    def __getstate__(self):\n        global count\n        count += 1000\n"
        "        return {}\nheld = Counted()"
    )
    session.run("held")
    now = session.show("count")
    assert int(now) >= 2000
    session.run("other = 1").again()
    assert session.show("count") == now
