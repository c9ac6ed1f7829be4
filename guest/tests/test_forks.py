"""A fork has random numbers of its own, unless somebody seeded them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from saved_session import SavedSession

from nl2code_guest.checkpoint.forks import reseed
from nl2code_guest.checkpoint.manifests import write_manifest

ENTROPY = "5a" * 32


@pytest.fixture(autouse=True)
def _kept_generators() -> Iterator[None]:
    python, theirs = random.getstate(), numpy.random.get_state()
    yield
    random.setstate(python)
    numpy.random.set_state(theirs)


def checkpoint(folder: Path, fork: object, *codes: str, covered: str = "") -> str:
    for k, code in enumerate(codes):
        header: dict[str, Any] = {"k": k, "code": code, "parent": None, "full": True}
        if covered:
            header["covered"] = [{"k": 0, "sha": "", "code": covered}]
        write_manifest(str(folder / "manifests"), header, [], b"", False)
    (folder / "fork.json").write_text(fork if isinstance(fork, str) else json.dumps(fork))
    return str(folder)


def drawn() -> tuple[float, float]:
    return random.random(), float(numpy.random.rand())


def test_a_fork_draws_other_numbers_and_the_same_ones_when_its_cell_runs_again(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, {"k": 1, "entropy": ENTROPY}, "import random", "random.random()")
    random.seed(1)
    numpy.random.seed(1)
    parent = drawn()
    assert reseed(folder, 2)
    first = drawn()
    assert reseed(folder, 2)
    assert drawn() == first
    assert first[0] != parent[0] and first[1] != parent[1]
    (tmp_path / "fork.json").write_text(json.dumps({"k": 1, "entropy": "6b" * 32}))
    assert reseed(folder, 2)
    assert drawn() != first


@pytest.mark.parametrize(
    "code",
    [
        "random.seed(7)",
        "np.random.seed (7)",
        "from random import choice, seed",
        "random.setstate(kept)",
        "np.random.set_state(kept)",
    ],
)
def test_who_seeded_keeps_the_numbers(tmp_path: Path, code: str) -> None:
    folder = checkpoint(tmp_path, {"k": 1, "entropy": ENTROPY}, code, "1")
    random.seed(1)
    assert not reseed(folder, 2)
    expected = random.Random(1).random()
    assert random.random() == expected


def test_a_cell_that_a_later_manifest_covers_counts_too(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, {"k": 0, "entropy": ENTROPY}, "1", covered="random.seed(7)")
    assert not reseed(folder, 1)


def test_a_cell_that_is_in_no_manifest_yet_counts_too(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, {"k": 1, "entropy": ENTROPY}, "1")
    assert not reseed(folder, 2, ["random.seed(7)"])
    assert reseed(folder, 2, ["2"])


@pytest.mark.parametrize(
    ("fork", "head"),
    [
        ({"k": 0, "entropy": ENTROPY}, 1),
        ({"k": True, "entropy": ENTROPY}, 1),
        ({"k": 1, "entropy": "5a"}, 1),
        ({"k": 1, "entropy": 7}, 1),
        ({"k": 1}, 1),
        ([1], 1),
        ("not JSON", 1),
        ("[" * 4000, 1),
    ],
)
def test_what_is_not_of_the_host_or_not_for_this_cell_changes_nothing(tmp_path: Path, fork: object, head: int) -> None:
    folder = checkpoint(tmp_path, fork, "1", "2")
    state = random.getstate()
    assert not reseed(folder, head + 1)
    assert random.getstate() == state


def test_no_fork_and_no_file_of_its_own_change_nothing(tmp_path: Path) -> None:
    state = random.getstate()
    assert not reseed(str(tmp_path), 2)
    (tmp_path / "elsewhere").write_text(json.dumps({"k": 1, "entropy": ENTROPY}))
    (tmp_path / "fork.json").symlink_to(tmp_path / "elsewhere")
    assert not reseed(str(tmp_path), 2)
    assert random.getstate() == state


DRAW = "import random\nnumber = random.random()\nprint(number)"


def forked(session: SavedSession, k: int) -> None:
    (session.checkpoint / "fork.json").write_text(json.dumps({"k": k, "entropy": ENTROPY}))


def test_the_first_cell_of_a_fork_draws_other_numbers_than_its_parent_would_and_the_same_whenever_it_runs(
    session: SavedSession,
) -> None:
    session.run(DRAW).again().run(DRAW)
    of_parent = session.output
    manifest = session.checkpoint / "manifests" / "00000001.manifest"
    manifest.unlink()
    forked(session, 0)
    own = session.again().run(DRAW).output
    assert own != of_parent
    manifest.unlink()
    assert session.again().run(DRAW).output == own
    assert session.again().run(DRAW).output not in (own, of_parent)


def test_shared_cells_that_a_fork_has_to_catch_up_on_draw_what_they_drew(session: SavedSession) -> None:
    session.run("import random")
    shared = session.run(DRAW).output
    of_parent = session.run(DRAW).output
    forked(session, 1)

    def lose(*cells: int) -> None:
        for k in cells:
            (session.checkpoint / "manifests" / f"{k:08d}.manifest").unlink()

    lose(1, 2)
    assert session.again().run(DRAW).output == shared
    own = session.run(DRAW).output
    assert own != of_parent
    lose(2)
    assert session.again().run(DRAW).output == own


def test_what_the_first_cell_of_a_fork_made_is_computed_again_with_its_numbers(session: SavedSession) -> None:
    session.run("import random")
    forked(session, 0)
    session.again().run("number = random.random()\ng = (n + number for n in (1, 2))\nprint(number)")
    number = float(session.output)
    assert session.again().report["recomputed"] == ["g"]
    assert session.report["lost"] == []
    assert session.show("next(g)") == str(1 + number)
