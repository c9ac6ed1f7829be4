"""The clock of a cell counts its own code and nothing else."""

from __future__ import annotations

import pytest

from nl2code_guest import cell_run
from nl2code_guest.cell_run import KILL_S, SAVE_S, SECOND_INTERRUPT_S, CellRun
from nl2code_guest.host_messages import Exec


class Clock:
    """Time as the test has it."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cell_run, "time", clock)
    return clock


@pytest.fixture
def cell(clock: Clock) -> CellRun:
    return CellRun(Exec(3, "sha", "code", 10_000, 1000, (1, 1)))


def test_a_cell_that_waits_for_its_kernel_has_no_deadline(cell: CellRun) -> None:
    assert (cell.deadline(), cell.due()) == (None, None)


def test_past_its_limit_a_cell_is_interrupted_twice_and_then_killed(cell: CellRun, clock: Clock) -> None:
    cell.begin(1)
    clock.now += 9.9
    assert cell.due() is None
    clock.now += 0.1
    assert cell.due() == "interrupt"
    clock.now += SECOND_INTERRUPT_S
    assert cell.due() == "interrupt"
    clock.now += KILL_S - SECOND_INTERRUPT_S
    assert (cell.due(), cell.runs_again()) == ("kill", False)
    assert "did not react to its time limit of 10 s" in cell.death(9, broken=False)


def test_time_that_is_not_the_cells_own_does_not_count(cell: CellRun, clock: Clock) -> None:
    cell.begin(1)
    clock.now += 5
    cell.stand_still(True)
    clock.now += 1000
    cell.stand_still(True)
    assert cell.deadline() is None
    cell.stand_still(False)
    assert cell.deadline() == clock.now + 5
    # An interrupt of the host is not put off.
    cell.stand_still(True)
    cell.ask_to_end("interrupted")
    assert cell.deadline() == clock.now + SECOND_INTERRUPT_S


def test_saving_has_a_limit_of_its_own(cell: CellRun, clock: Clock) -> None:
    cell.begin(1)
    clock.now += 9
    cell.ended(lambda frame: None, SAVE_S)
    clock.now += SAVE_S - 1
    assert cell.due() is None
    clock.now += 1
    assert (cell.due(), cell.runs_again()) == ("kill", False)
    assert "saving what it left took more than 120 s" in cell.death(9, broken=False)
    assert cell.died_reply("how")["ms"] == 9000


def test_every_run_has_the_whole_limit(cell: CellRun, clock: Clock) -> None:
    cell.begin(1)
    clock.now += 9
    assert cell.runs_again()
    cell.again_from_start("It died.")
    assert cell.deadline() is None
    clock.now += 100
    cell.begin(2)
    assert cell.deadline() == clock.now + 10
    cell.again_from_start("It died.")
    cell.begin(3)
    assert not cell.runs_again()
