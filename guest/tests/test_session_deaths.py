"""A session that dies at any moment, again and again, comes to the same end as one that does not."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Iterator

import pytest
from saved_session import Begin, KernelEnded, SavedSession
from session_script import SCRIPT

from nl2code_guest.checkpoint.fail_points import FailPoint


def same(session: SavedSession, twin: SavedSession) -> None:
    """Both have the same variables, files, random numbers and folder."""
    mine, its = session.digest(), twin.digest()
    assert os.path.relpath(mine.pop("cwd"), session.workspace) == os.path.relpath(its.pop("cwd"), twin.workspace)
    assert mine == its


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SavedSession]:
    """The script, undisturbed."""
    session = SavedSession(tmp_path_factory.mktemp("twin")).start()
    for code in SCRIPT:
        session.outputs.append(session.run(code).output)
    yield session
    session.close()


@pytest.mark.parametrize("seed", range(2))
def test_deaths_between_cells_change_nothing(begin: Begin, twin: SavedSession, seed: int) -> None:
    chance = random.Random(seed)
    session = begin()
    for k, code in enumerate(SCRIPT):
        assert session.run(code).output == twin.outputs[k], code
        if chance.random() < 0.5:
            session.again()
            assert session.report["lost"] == []
    same(session.again(), twin)


@pytest.mark.parametrize("fork_bytes", [1 << 30, 20_000], ids=["inline", "forked"])
def test_deaths_in_the_midst_of_cells_and_saves_change_nothing(
    begin: Begin, twin: SavedSession, fork_bytes: int
) -> None:
    chance = random.Random(fork_bytes)
    session = begin(LIMITS=json.dumps({"session_state.FORK_BYTES": fork_bytes}))
    deaths = 0
    while session.head < len(SCRIPT) - 1:
        timer = threading.Timer(chance.uniform(0, 0.12), os.kill, (session.pid, signal.SIGKILL))
        if deaths < 12:
            timer.start()
        try:
            while session.head < len(SCRIPT) - 1:
                k = session.last + 1
                if k == len(SCRIPT):
                    session.settle()
                    continue
                assert session.run(SCRIPT[k]).output == twin.outputs[k], SCRIPT[k]
                if session.outcome == "forked" and chance.random() < 0.7:
                    session.settle()
        except KernelEnded:
            deaths += 1
        finally:
            timer.cancel()
            if timer.ident is not None:
                timer.join()
        session.again()
        assert session.report.get("lost", []) == []
    assert deaths >= 6
    same(session, twin)


@pytest.mark.parametrize(
    "point",
    ["segment-half-written", "segment-renamed-manifest-not", "cell-ran-nothing-saved", "restore-half-done"],
)
def test_a_death_at_a_fail_point_changes_nothing(begin: Begin, twin: SavedSession, point: FailPoint) -> None:
    session = begin()
    session.kill()
    points = session.checkpoint / "fail-points"
    points.mkdir()
    session.start()
    deaths = 0
    while session.head < len(SCRIPT) - 1:
        k = session.last + 1
        if deaths < 6 and k % 2 == 0:
            (points / point).touch()
        try:
            if point == "restore-half-done" and k % 2 == 0 and deaths < 5:
                # What a cell left in the workspace has to go again.
                (session.workspace / f"left-{k}.txt").write_text("half done")
                for path in session.workspace.rglob("*.csv"):
                    path.write_text("half done")
                session.again()
            assert session.run(SCRIPT[k]).output == twin.outputs[k], SCRIPT[k]
        except KernelEnded:
            deaths += 1
            assert session.wait() == -signal.SIGKILL
            session.again()
    assert deaths >= 3
    same(session, twin)
