"""Large variables are saved by a child while the session goes on; whatever becomes of the child, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from saved_session import Begin, KernelEnded, SavedSession

from nl2code_guest.checkpoint.quota import disk_bytes

#: Small enough to be quick, large enough by the limit that the tests set.
LIMITS = {"session_state.FORK_BYTES": 1_000_000}
BIG = "import array\nbig = array.array('b', bytes(2_000_000))\nsmall = [1]"


@pytest.fixture
def begin(begin: Begin) -> Begin:
    """Starts sessions in which little counts as large."""
    return lambda name="one", quota=None, **limits: begin(name, quota=quota, LIMITS=json.dumps({**LIMITS, **limits}))


@pytest.fixture
def session(begin: Begin) -> SavedSession:
    """One session in which little counts as large."""
    return begin()


def children(session: SavedSession) -> list[int]:
    with open(f"/proc/{session.pid}/task/{session.pid}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def test_a_large_variable_is_saved_by_a_child_and_a_small_one_is_not(session: SavedSession) -> None:
    session.run(BIG)
    assert session.outcome == "forked"
    assert session.settle() is None
    assert session.head == 0
    session.run("small.append(2)")
    assert session.outcome == "inline"
    assert children(session) == []
    session.again()
    assert session.show("(len(big), small)") == "(2000000, [1, 2])"


def test_what_the_next_cell_does_is_not_in_the_state_of_the_one_before(session: SavedSession) -> None:
    session.run(
        "import time\nclass Slow:\n    def __reduce__(self):\n        time.sleep(0.3)\n        return int, (1,)\n"
        "slow = Slow()"
    )
    session.run(BIG + "\nagain = slow\nheld = {'n': 1, 's': slow}")
    assert session.outcome == "forked"
    # While the child still pickles.
    session.run("small.append(2); big[0] = 1; held['n'] = 2\nopen('later.txt', 'w').write('x')")
    assert session.outcome == "forked"
    session.commit()
    assert session.headers[-1]["covers"] == [1, 1]
    session.kill()
    session.start()
    assert session.head == 1
    assert session.show("(small, big[0], held['n'])") == "([1], 0, 1)"
    assert not (session.workspace / "later.txt").exists()


HELD = (
    "import os, time\nkernel = os.getpid()\nclass Held:\n    def __reduce__(self):\n"
    "        while os.getpid() != kernel and not os.path.exists('go'): time.sleep(0.001)\n        return int, (1,)\n"
)


def test_a_reply_does_not_wait_for_the_child_that_saves_what_came_before(session: SavedSession) -> None:
    session.run(HELD + BIG + "\nother = {'n': 1}\ndef f(): other['n'] += 1\nheld = Held()")
    assert session.outcome == "forked"
    session.pickled()
    session.run("small.append(2); f(); new = 5\nopen('file', 'w').write('x')")
    # The child waits still, and knows nothing of this cell.
    assert session.outcome == "forked" and session.settle(wait=False) is None
    assert session.head == -1
    (session.workspace / "go").touch()
    assert session.settle() is None
    # What was touched is told by what the child has saved, `f` among it.
    assert session.pickled() == {"small": 1, "f": 1, "other": 1, "new": 1}
    session.commit()
    assert [header["covers"] for header in session.headers] == [[0, 0], [1, 1]]
    session.run("small").again()
    assert session.show("(small, other, new, open('file').read())") == "([1, 2], {'n': 2}, 5, 'x')"


def test_a_cell_that_begins_meanwhile_changes_nothing_that_the_one_before_left(session: SavedSession) -> None:
    session.run(HELD + BIG + "\nheld = Held()").run("small.append(2)")
    assert session.outcome == "forked"
    (session.workspace / "go").touch()
    session.run("small.append(3)")
    for _ in range(3 - len(session.headers)):
        session.commit()
    assert [header["covers"] for header in session.headers] == [[0, 0], [1, 1], [2, 2]]
    assert session.states[1]["components"][0]["inline"] != session.states[2]["components"][0]["inline"]
    assert session.again().show("small") == "[1, 2, 3]"


def test_what_waits_for_a_child_that_dies_is_covered_with_it(session: SavedSession) -> None:
    session.run(HELD + BIG + "\nheld = Held()").run("small.append(2)")
    (child,) = children(session)
    os.kill(child, signal.SIGKILL)
    (session.workspace / "go").touch()
    assert session.settle() is None
    assert [header["covers"] for header in session.headers] == [[0, 1]]
    assert session.again().show("(len(big), small)") == "(2000000, [1, 2])"


def test_what_waits_for_a_child_and_is_large_itself_is_saved_by_another(session: SavedSession) -> None:
    session.run(HELD + BIG + "\nheld = Held()").run("big[0] = 7")
    assert session.outcome == "forked"
    (session.workspace / "go").touch()
    session.settle()
    session.settle()
    session.commit()
    assert [header["covers"] for header in session.headers] == [[0, 0], [1, 1]]
    assert session.again().show("big[0]") == "7"


def test_many_variables_are_saved_by_a_child_too(session: SavedSession) -> None:
    session.run("\n".join(f"v{n} = [{n}]" for n in range(500)))
    assert session.outcome == "forked"
    assert session.settle() is None
    assert session.again().show("v499") == "[499]"


def test_a_child_that_dies_is_made_up_for_when_the_kernel_is_idle(session: SavedSession) -> None:
    session.run("import os, signal\nkernel = os.getpid()\nclass Deadly:\n    def __reduce__(self):\n"
                "        if os.getpid() != kernel: os.kill(os.getpid(), signal.SIGKILL)\n"
"        return int, (1,)")  # fmt: skip
    session.run(BIG + "\nd = Deadly()")
    assert session.outcome == "forked"
    assert session.settle() is None
    assert session.head == 1
    assert session.again().show("(len(big), d)") == "(2000000, 1)"


def test_a_child_that_dies_while_the_next_cell_runs_is_covered_by_that_one(session: SavedSession) -> None:
    session.run("import os, signal\nkernel = os.getpid()\nclass Deadly:\n    def __reduce__(self):\n"
                "        if os.getpid() != kernel: os.kill(os.getpid(), signal.SIGKILL)\n"
"        return int, (1,)")  # fmt: skip
    session.run(BIG + "\nd = Deadly()\ndef f(): small.append(9)").run("d = 2; f()")
    assert session.outcome == "forked"
    assert session.settle() is None
    assert session.headers[-1]["covers"] == [1, 2]
    assert session.again().show("(len(big), small, d)") == "(2000000, [1, 9], 2)"


def test_a_child_that_hangs_is_ended_and_its_variable_refused(begin: Begin) -> None:
    limits = {"forked_save._SECONDS": 0.5, "forked_save._GRACE_S": 0.2, "serialise._SECONDS": 0.5}
    session = begin(**limits)
    session.run("class Loop:\n    def __reduce__(self):\n        while True: pass\n" + BIG + "\nloop = Loop()")
    assert session.outcome == "forked"
    began = time.monotonic()
    assert session.settle() is None
    assert time.monotonic() - began < 10
    assert set(session.states[-1]["refused"]) == {"loop"}
    assert session.again().show("len(big)") == "2000000"


def test_a_child_that_waits_for_a_lock_of_the_parent_is_ended(begin: Begin) -> None:
    limits = {"forked_save._SECONDS": 0.5, "forked_save._GRACE_S": 0.2, "serialise._SECONDS": 5}
    session = begin(**limits)
    session.run(
        "import threading, os\nlock, held, kernel = threading.Lock(), threading.Event(), os.getpid()\n"
        "def hold():\n    with lock:\n        held.set(); stop.wait()\nstop = threading.Event()\n"
        "t = threading.Thread(target=hold, daemon=True)\nt.start(); held.wait()\n"
        "class Locked:\n    def __reduce__(self):\n        if os.getpid() != kernel:\n"
"            lock.acquire()\n        return int, (7,)\n"
        + BIG + "\nx = Locked()"
    )  # fmt: skip
    assert session.outcome == "forked"
    assert session.settle() is None
    # It is run again for its lock, and its thread has nobody who ends it.
    with pytest.raises(KernelEnded):
        session.again()
    assert session.start().show("(len(big), x)") == "(2000000, 7)"


@pytest.mark.parametrize("where", ["forked-save-half", "segment-half-written", "segment-renamed-manifest-not"])
def test_a_child_killed_at_any_point_costs_nothing(begin: Begin, tmp_path: Path, where: str) -> None:
    points = tmp_path / "one" / "checkpoint" / "fail-points"
    points.mkdir(parents=True)
    session = begin()
    session.run("x = 1")
    (points / where).touch()
    session.run(BIG)
    assert session.outcome == "forked"
    assert session.settle() is None
    assert not (points / where).exists()
    assert session.head == 1
    assert session.again().show("(len(big), small, x)") == "(2000000, [1], 1)"


def test_a_cell_that_shares_its_state_with_a_child_that_died_may_write_files(begin: Begin, tmp_path: Path) -> None:
    points = tmp_path / "one" / "checkpoint" / "fail-points"
    points.mkdir(parents=True)
    session = begin()
    session.run("g = (n for n in [1, 2, 3])\nnext(g)\nx = []\ndef add():\n    x.append(1)")
    (points / "forked-save-half").touch()
    session.run(BIG)
    while (points / "forked-save-half").exists():
        time.sleep(0.01)
    session.run("add()\nopen('f.txt', 'w').write('1')")
    session.settle()
    assert session.states[-1]["earlier"] != []
    assert {"g"}.isdisjoint(session.states[-1]["cell"]["accessed"])
    assert {"add", "x"} <= set(session.states[-1]["cell"]["accessed"])
    assert session.again().report["recomputed"] == ["g"]
    assert session.show("(next(g), x)") == "(2, [1])"


def test_a_kernel_that_dies_takes_its_child_along(session: SavedSession) -> None:
    session.run(
        "import time\nclass Slow:\n    def __reduce__(self):\n        time.sleep(60)\n        return int, (1,)\n" + BIG
    )
    session.settle()
    session.run("s = Slow(); big[0] = 2")
    assert session.outcome == "forked"
    (child,) = children(session)
    session.kill()
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert session.start().head == 0


def test_descriptors_that_a_cell_closes_do_not_confuse_the_kernel(session: SavedSession) -> None:
    session.run("import os\n" + BIG)
    session.settle()
    session.run("big[0] = 3")
    assert session.outcome == "forked"
    session.run(
        "for name in os.listdir('/proc/self/fd'):\n    try:\n        link = os.readlink('/proc/self/fd/' + name)\n"
        "    except OSError:\n        continue\n    if 'pipe' in link or 'memfd' in link:\n"
        "        if int(name) > 2: os.close(int(name))"
    )
    session.settle()
    session.run("big[1] = 4").settle()
    assert session.again().show("(big[0], big[1])") == "(3, 4)"


def test_a_child_sees_nothing_of_what_the_kernel_does_to_the_disk_quota(begin: Begin) -> None:
    session = begin()
    session.run("import resource\nlimits = resource.getrlimit(resource.RLIMIT_FSIZE)\n" + BIG)
    session.settle()
    session.run("resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))\nbig[0] = 1")
    assert session.outcome == "forked"
    assert "could not be saved: File too large" in session.settle()
    assert session.head == 0
    session.run("resource.setrlimit(resource.RLIMIT_FSIZE, limits)").settle()
    assert session.headers[-1]["covers"] == [1, 2]
    assert session.again().show("big[0]") == "1"


def test_what_children_write_counts_for_the_quota(begin: Begin) -> None:
    session = begin(quota=16 << 20)
    session.run("import os\nnote = os.urandom(10_000)")
    assert session.outcome == "inline"
    for _ in range(10):
        session.run("big = os.urandom(2_000_000)")
        assert session.outcome == "forked"
        if (unsaved := session.settle()) is not None:
            break
    assert unsaved and "MiB it may have" in unsaved
    assert 12 << 20 < disk_bytes(str(session.checkpoint)) < 16 << 20


def test_settling_without_waiting_leaves_a_running_child_alone(session: SavedSession) -> None:
    session.run(
        "import time\nclass Slow:\n    def __reduce__(self):\n        time.sleep(0.5)\n        return int, (1,)\n" + BIG
    )
    session.settle()
    session.run("s = Slow(); big[0] = 2")
    assert session._ask(do="settle", wait=False) == {"unsaved": None, "pending": True}
    assert session.settle() is None
    assert session.head == 1


def test_what_a_child_prints_and_its_exit_handlers_are_nobodys_output(session: SavedSession) -> None:
    session.run("import atexit, os\natexit.register(os.write, 1, b'exit handler')\n"
                "class Loud:\n    def __reduce__(self):\n        os.write(1, b'loud'); print('loud')\n"
"        return int, (1,)\n"
                + BIG + "\nx = Loud()")  # fmt: skip
    assert session.settle() is None
    assert session.output == ""
    log = (session.checkpoint.parent / "kernel.log").read_text()
    assert "loud" not in log
    assert "exit handler" not in log


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
