"""A restore brings back what was saved or says what is missing; what can't be trusted is refused untouched."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from saved_session import SavedSession, entries

from nl2code_guest.checkpoint.compaction import moved_chunks
from nl2code_guest.checkpoint.manifests import chain, read_manifest, write_manifest
from nl2code_guest.checkpoint.saved_state import SavedState, decode_state
from nl2code_guest.checkpoint.verified_record import VerifiedRecord

BIG = "import os\nbig = [os.urandom(200_000) for _ in range(3)]\nsmall = [1]"


def rewritten(session: SavedSession, k: int, change: Callable[[dict[str, Any]], None]) -> None:
    """The manifest of cell `k` with another state, whose seal holds."""
    folder = str(session.checkpoint / "manifests")
    manifest = read_manifest(folder, k)
    state = decode_state(manifest.state)
    change(state)
    header = {name: value for name, value in manifest.header.items() if name not in ("attachments", "stateBytes")}
    write_manifest(folder, header, [], json.dumps(state).encode(), False)


def restored(session: SavedSession, head: int) -> dict[str, Any]:
    session.kill()
    session.start(restore=False)
    answer: dict[str, Any] = session._ask(do="restore", head=head, atStart=None, exact=True)
    return answer


def test_the_report_tells_what_is_there(session: SavedSession) -> None:
    session.run("import json\na, b = 1, [2]\ng = (x for x in range(3))\nc = next(g)").again()
    report = session.report
    assert report.pop("ms") > 0
    assert report == {
        "head": 0, "variables": 5, "recomputed": ["g"], "unproved": [], "lost": [], "notes": []
    }  # fmt: skip


def test_a_file_whose_contents_turn_out_to_be_cut_gives_the_state_up(session: SavedSession) -> None:
    session.run("x = 1").run("import os\nopen('file', 'wb').write(os.urandom(200_000)).bit_length()")
    (path,) = (session.checkpoint / "segments").glob("*.segment")
    path.write_bytes(path.read_bytes()[:1000])
    # As when it was found whole and the disk has lost it since.
    VerifiedRecord(str(path.parent)).add(path.name.removesuffix(".segment"), path.stat())
    (session.workspace / "file").unlink()
    answer = restored(session, 1)
    assert answer["unrestorable"] == 1 and "ends before" in answer["message"], answer
    assert restored(session, 0)["variables"] == 1


def test_a_cut_or_altered_segment_names_the_first_cell_that_is_not_to_be_had(session: SavedSession) -> None:
    session.run("small = [0]").run(BIG).run("small.append(2)")
    (name,) = [name for name in entries(session.checkpoint / "segments") if name.endswith(".segment")]
    path = session.checkpoint / "segments" / name
    whole = path.read_bytes()
    for damaged in (whole[:1000], b"", whole[:5000] + b"x" + whole[5001:]):
        path.write_bytes(damaged)
        answer = restored(session, 2)
        assert answer["unrestorable"] == 1, answer
        assert name.removesuffix(".segment") in answer["message"]
    path.unlink()
    assert restored(session, 2)["unrestorable"] == 1
    assert session.digest().keys() == {"random", "cwd"}
    assert restored(session, 0)["variables"] == 1


def test_a_torn_manifest_is_not_restored(session: SavedSession) -> None:
    session.run("a = 1").run("a = 2")
    path = session.checkpoint / "manifests" / "00000001.manifest"
    path.write_bytes(path.read_bytes()[:-9])
    assert restored(session, 1)["unrestorable"] == 1


@pytest.mark.parametrize("name", ["python", "bytecode", "package numpy"])
def test_a_state_of_another_version_is_refused_before_anything_is_loaded(session: SavedSession, name: str) -> None:
    session.run("import numpy as np\na = np.ones(3)").run("b = 2\nopen('new.txt', 'w').write('x')")

    def change(state: dict[str, Any]) -> None:
        state["versions"][name] = "0.1"

    rewritten(session, 1, change)
    (session.workspace / "new.txt").write_text("as it was left")
    answer = restored(session, 1)
    assert answer["unrestorable"] == 1
    assert answer["message"].startswith(f"The state was saved with {name} 0.1, and here is ")
    assert (session.workspace / "new.txt").read_text() == "as it was left"


@pytest.mark.parametrize(
    "state", [b"not json", b"[]", b'{"format":99}', b'{"format":1,"full":true,"components":[{}],"dropped":[]}', b"\xff"]
)
def test_a_state_that_no_kernel_has_written_is_refused(session: SavedSession, state: bytes) -> None:
    session.run("a = 1")
    session.commit_nothing(state)
    assert restored(session, 1)["unrestorable"] == 1


def test_a_cell_that_was_committed_without_effects_changes_nothing(session: SavedSession) -> None:
    session.run("a = [1]\nopen('x.txt', 'w').write('x')")
    session.commit_nothing()
    session.again()
    assert session.head == 1
    session.run("a.append(2)").again()
    assert session.show("a") == "[1, 2]"
    assert (session.workspace / "x.txt").read_text() == "x"


def test_what_came_from_outside_before_a_cell_is_there_when_the_cell_runs_again(session: SavedSession) -> None:
    session.run("open('mine.txt', 'w').write('mine')")
    (session.workspace / "outside.txt").write_text("from outside")
    (session.workspace / "mine.txt").unlink()
    # The cell begins, changes both and dies.
    session._ask(do="begin", k=1, code="x")
    session._at_start[1] = bytes.fromhex(session._ask(do="at_start")["hex"])
    (session.workspace / "outside.txt").write_text("half done")
    (session.workspace / "mine.txt").write_text("half done")
    session.again()
    assert (session.workspace / "outside.txt").read_text() == "from outside"
    assert entries(session.workspace) == ["outside.txt"]
    # It is in the state of the cell, told from the state before.
    session.run("n = open('outside.txt').read()").again()
    assert session.show("n") == "'from outside'"
    assert entries(session.workspace) == ["outside.txt"]


def test_changes_from_outside_are_a_state_of_their_own(session: SavedSession) -> None:
    session.run("a = 1")
    (session.workspace / "outside.txt").write_text("from outside")
    session._ask(do="begin", k=1, code="x")
    session.commit_nothing(bytes.fromhex(session._ask(do="at_start")["hex"]))
    (session.workspace / "outside.txt").unlink()
    session.again()
    assert (session.workspace / "outside.txt").read_text() == "from outside"
    assert session.show("a") == "1"


def test_without_traces_of_a_cell_what_differs_in_the_workspace_came_from_outside(session: SavedSession) -> None:
    session.run("open('a.txt', 'w').write('old')")
    session.kill()
    (session.workspace / "a.txt").write_text("edited")
    (session.workspace / "b.txt").write_text("added")
    session.start(exact=False).run("seen = open('a.txt').read(), open('b.txt').read()")
    assert session.show("seen") == "('edited', 'added')"
    session.again(exact=True)
    assert (session.workspace / "a.txt").read_text() == "edited"
    assert entries(session.workspace) == ["a.txt", "b.txt"]


def test_without_traces_of_a_cell_what_is_missing_is_written(session: SavedSession) -> None:
    session.run(
        "import os\nos.makedirs('deep/er')\nfor name in ('a.txt', 'deep/er/b.txt'): open(name, 'w').write(name)"
    )
    session.kill()
    shutil.rmtree(session.workspace)
    session.workspace.mkdir()
    (session.workspace / "placed.txt").write_text("placed")
    session.start(exact=False).run("seen = [open(n).read() for n in ('a.txt', 'deep/er/b.txt', 'placed.txt')]")
    assert session.show("seen") == "['a.txt', 'deep/er/b.txt', 'placed']"
    session.again()
    assert entries(session.workspace) == ["a.txt", "deep", "placed.txt"]


def test_before_the_first_cell_nothing_is_there_but_what_came_from_outside(session: SavedSession) -> None:
    (session.workspace / "outside.txt").write_text("from outside")
    session.start(restore=False)
    session._ask(do="begin", k=0, code="x")
    at_start = bytes.fromhex(session._ask(do="at_start")["hex"])
    (session.workspace / "outside.txt").write_text("half done")
    (session.workspace / "half.txt").write_text("half done")
    session.kill()
    session.start(restore=False)
    encoded = base64.b64encode(at_start).decode()
    report = session._ask(do="restore", head=-1, atStart=encoded, exact=True)
    assert (report["head"], report["variables"], report["notes"]) == (-1, 0, [])
    assert entries(session.workspace) == ["outside.txt"]
    session.run("n = open('outside.txt').read()").again()
    assert session.show("n") == "'from outside'"
    session.kill()
    shutil.rmtree(session.checkpoint / "segments")
    session.start(restore=False)
    assert session._ask(do="restore", head=-1, atStart=encoded, exact=True)["notes"] == [
        "What came into the workspace from outside before the last cell could not be read."
    ]
    assert entries(session.workspace) == []


def test_settings_that_cells_changed_are_there(session: SavedSession) -> None:
    session.run(
        "import os, sys, random, warnings, decimal, logging, locale\n"
        "import numpy as np, pandas as pd, matplotlib.pyplot as plt\n"
        "os.makedirs('deep'); os.chdir('deep'); os.environ['MINE'] = 'x'; del os.environ['MPLBACKEND']\n"
        "sys.path.insert(0, '/lib/mine'); warnings.simplefilter('error', UserWarning)\n"
        "decimal.getcontext().prec = 7; logging.root.setLevel(7); np.seterr(divide='raise')\n"
        "np.set_printoptions(precision=3); pd.set_option('display.max_columns', 3)\n"
        "places = 2\npd.set_option('display.float_format', lambda v: f'{v:.{places}f}')\n"
        "plt.rcParams['lines.linewidth'] = 7\nrandom.seed(1); np.random.seed(2); random.random(); np.random.rand()"
    )
    show = (
        "(os.path.basename(os.getcwd()), os.environ['MINE'], 'MPLBACKEND' in os.environ, sys.path[0], "
        "decimal.getcontext().prec,"
        "logging.root.level, np.geterr()['divide'], np.get_printoptions()['precision'], "
        "pd.get_option('display.max_columns'),"
        "pd.get_option('display.float_format')(1/3), plt.rcParams['lines.linewidth'], warnings.filters[0][0],"
        "random.random(), np.random.rand())"
    )
    session.kill()
    session.start()
    first = session.show(show)
    session.again()
    assert session.show(show) == first
    assert first.startswith("('deep', 'x', False, '/lib/mine', 7, 7, 'raise', 3, 3, '0.33', 7.0, 'error', 0.8474")
    # The function is bound to the session.
    session.run("places = 1")
    assert session.show("pd.get_option('display.float_format')(1/3)") == "'0.3'"


def test_a_variable_whose_own_code_fails_to_load_is_made_again_or_lost(session: SavedSession) -> None:
    session.run(
        "import os\nclass Picky:\n    def __setstate__(self, state):\n"
        "        if os.environ.get('PICKY'): raise ValueError('not here')\n"
        "        self.__dict__ = state"
    )
    session.run("p = Picky(); p.n = [3]; shared = p.n").run("import uuid\nq = Picky(); q.u = uuid.uuid4()").run(
        "r = Picky(); r.x = 1; y = 5"
    )
    session.kill()
    session._env["PICKY"] = "1"
    session.start()
    # What was made in the same way as before is there; q is another one each time.
    assert session.report["recomputed"] == ["p", "r", "shared"]
    assert [entry["name"] for entry in session.report["lost"]] == ["q"]
    assert session.show("(p.n, r.x, y)") == "([3], 1, 5)"


def test_a_module_whose_file_is_gone_is_imported_from_where_it_was(session: SavedSession) -> None:
    session.run("open('helper.py', 'w').write('n = 4')").run("import helper\nm = helper.n").again()
    assert session.show("(helper.n, m)") == "(4, 4)"
    session.run("import os; os.remove('helper.py')").again()
    assert session.report["recomputed"] == ["helper"]
    assert session.show("(helper.n, m)") == "(4, 4)"


def test_tracebacks_show_the_lines_of_cells_that_ran_in_an_earlier_kernel(session: SavedSession) -> None:
    session.run("def fail():\n    return 1 / 0  # here").run("n = 1").again().run(
        "import inspect\ntext = inspect.getsource(fail)"
    )
    assert session.show("text") == "'def fail():\\n    return 1 / 0  # here'"


def test_a_restored_session_saves_only_what_changes(session: SavedSession) -> None:
    session.run("a = [1]; b = [2]\ndef f(): return b").again()
    session.pickled()
    session.run("a.append(2)")
    assert session.pickled() == {"a": 1}
    assert [part["names"] for part in session.states[-1]["components"]] == [["a"]]
    assert session.states[-1]["full"] is False


def test_the_libraries_that_a_session_needs_are_named_to_the_init(session: SavedSession) -> None:
    session.run("a = 1").run("import numpy as np").run("import scipy.stats as st").run("del np, st")
    assert [header["want"] for header in session.headers] == ["bare", "data", "all", "bare"]


def test_arrays_come_back_mapped_equal_and_writable(session: SavedSession) -> None:
    session.run("import numpy as np\na = np.arange(3_000_000.0)\nro = np.ones(100_000); ro.flags.writeable = False")
    session.run("a[5] = -1").again()
    assert (
        session.show("(float(a.sum()), float(a[5]), a.flags.writeable, ro.flags.writeable)")
        == "(4499998499994.0, -1.0, True, False)"
    )
    session.run("a[6] = -2").again()
    assert session.show("a[5:7].tolist()") == "[-1.0, -2.0]"


def test_code_that_runs_while_a_variable_is_loaded_finds_what_it_uses(session: SavedSession) -> None:
    session.run(
        "class Scaled:\n    def __init__(self, n):\n        self.n = n\n    def __getstate__(self):\n"
        "        return self.n\n    def __setstate__(self, n):\n        self.n = restored(n)\na = Scaled(3)"
    )
    session.run("b = {Scaled(4): 1}\ndef restored(n):\n    return n + offset[0]\noffset = [100]").again()
    assert session.report["lost"] == []
    assert session.show("(a.n, next(iter(b)).n)") == "(103, 104)"


def test_what_an_idle_kernel_rewrites_is_told_with_the_next_state(session: SavedSession) -> None:
    session.run(
        "import numpy as np, pandas as pd\ndf = pd.DataFrame({f'c{n}': np.arange(40_000.0) + n for n in range(8)})"
    )
    session.run("filler = np.random.rand(3_000_000)")
    session.run("df = pd.DataFrame({name: df[name] for name in ['c7', 'c3', 'c5', 'c1', 'c0']})")
    moved = moved_bytes(session)
    assert moved > 1 << 20
    orphan = session.checkpoint / "segments" / "1-0123456789ab-0.segment"
    orphan.write_bytes(b"left by a kernel that died")
    session._ask(do="tidy")
    assert not orphan.exists()
    assert session.show("float(df['c7'].sum())") == session.again().show("float(df['c7'].sum())")
    session._ask(do="tidy")
    session.run("x = 1")
    assert [part["names"] for part in session.states[-1]["components"]] == [["df"], ["x"]]
    assert moved_bytes(session) < moved / 10
    session._ask(do="tidy")
    session.run("x = 2")
    assert [part["names"] for part in session.states[-1]["components"]] == [["x"]]
    assert session.again().show("(list(df), float(df['c0'].sum()), float(df['c7'].iloc[-1]))") == (
        "(['c7', 'c3', 'c5', 'c1', 'c0'], 799980000.0, 40006.0)"
    )


def moved_bytes(session: SavedSession) -> int:
    """Bytes of the head's frame that a restore reads although it would rather map them."""
    state = SavedState()
    folder = str(session.checkpoint / "manifests")
    for manifest in chain(folder, read_manifest(folder, session.head)):
        state.apply(decode_state(manifest.state))
    buffers = state.components.by_name["df"].buffers
    return sum(buffer["chunks"][at].length for buffer in buffers for at in moved_chunks(buffer))
