"""What can't be saved is made again by running the cells that made it, or is lost with a sentence."""

from __future__ import annotations

import errno
import json
import re
import signal

import pytest
from saved_session import Begin, KernelEnded, SavedSession, entries


def lost(session: SavedSession) -> dict[str, str]:
    """Names that were lost, with their messages."""
    return {entry["name"]: entry["message"] for entry in session.report["lost"]}


def test_a_generator_goes_on_where_it_was(session: SavedSession) -> None:
    session.run("def squares():\n    n = 0\n    while True:\n        yield n * n\n        n += 1")
    session.run("g = squares()\na = next(g)").run("b = next(g), next(g)").run("other = 1").again()
    assert session.report["recomputed"] == ["g"]
    assert session.report["unproved"] == []
    assert session.report["lost"] == []
    session.run("print(next(g), a, b)")
    assert session.output == "9 0 (1, 4)\n"
    session.again().run("print(next(g))")
    assert session.output == "16\n"


def test_on_a_full_disk_it_is_lost_for_now_and_there_when_there_is_room(begin: Begin) -> None:
    session = begin(MARKER_TROUBLE=str(errno.ENOSPC))
    session.run("def squares():\n    yield from range(3)").run("g = squares()\nx = next(g)").again()
    assert "can't be run again: No space left on device." in lost(session)["g"]
    session.kill()
    again = SavedSession(session.checkpoint.parent)
    try:
        again.start()
        assert (again.report["recomputed"], again.show("next(g)")) == (["g"], "1")
    finally:
        again.close()


def test_trouble_of_the_machine_while_it_is_computed_again_is_told_and_counts_as_no_attempt(begin: Begin) -> None:
    session = begin(MARKER_TROUBLE=str(errno.EIO))
    session.run("def squares():\n    yield from range(3)").run("g = squares()\nx = next(g)")
    for _ in range(4):
        with pytest.raises(AssertionError, match="Input/output error"):
            session.again()
    session.kill()
    again = SavedSession(session.checkpoint.parent)
    try:
        again.start()
        assert (again.report["recomputed"], again.show("next(g)")) == (["g"], "1")
    finally:
        again.close()


def test_a_table_that_is_only_laid_out_otherwise_is_the_same(session: SavedSession) -> None:
    session.run("import sys\nimport pandas as pd\nsys.shown = True\ng = iter(lambda: 1, 2)")
    made = "t = pd.DataFrame({'a': [1.0, None], 'w': ['x', 'y']})\nt['c'] = VALUE\n"
    layout = "if getattr(sys, 'shown', False):\n    t._consolidate_inplace()\n"
    session.run(made.replace("VALUE", "3.0") + layout + "g = (n for n in [1, 2, 3])\nnext(g)").again()
    assert session.report["lost"] == []
    assert session.report["recomputed"] == ["g"]
    session.run("import sys\nsys.found = 4.0")
    session.run(made.replace("VALUE", "getattr(sys, 'found', 5.0)") + "g = (n for n in [1])").again()
    assert session.show("float(t['c'][0])") == "4.0"
    assert "t had other values" in lost(session)["g"]


def test_labels_that_say_in_a_buffer_more_that_none_is_missing_are_the_same(session: SavedSession) -> None:
    session.run("import sys\nimport pandas as pd\nsys.shown = True\nraw = pd.DataFrame({'w': ['x', 'y'], 'n': [1, 2]})")
    made = "t = raw.groupby('w')['n'].agg(['mean', 'count'])\nt['c'] = 1.0\n"
    layout = "if getattr(sys, 'shown', False):\n    t._consolidate_inplace()\n"
    session.run(f"{made}{layout}g = (n for n in [1, 2])").again()
    assert (session.report["lost"], session.report["recomputed"]) == ([], ["g"])


def test_one_table_under_two_names_may_be_laid_out_otherwise_too(session: SavedSession) -> None:
    session.run("import sys\nimport pandas as pd\nsys.shown = True")
    shown = "if getattr(sys, 'shown', False):\n    t._consolidate_inplace()\n"
    made = f"t = pd.DataFrame({{'a': [1.0, None]}})\nt['c'] = 3.0\nu = [t]\n{shown}g = (n for n in [1, 2])"
    session.run(made).again()
    assert (session.report["lost"], session.report["recomputed"]) == ([], ["g"])


@pytest.mark.parametrize(
    ("cell", "count"),
    [
        ("_ = Made()\nopen('wrote', 'w').close()", 2),
        ("_ = Made()\nMade.seen = getattr(sys, 'here', None)", 2),
        ("if not hasattr(sys, 'here'):\n    Made.count = 50", 1),
    ],
)
def test_an_instance_has_the_class_of_now_when_a_cell_can_not_be_run_again(
    session: SavedSession, cell: str, count: int
) -> None:
    made = "class Made:\n    count = 0\n    def __init__(self):\n        type(self).count += 1\nthing = Made()"
    session.run(f"import sys\nsys.here = 1\n{made}")
    session.run("g = (n for n in [Made, 2])\nnext(g), thing").run(cell).again()
    assert "g" in lost(session)
    session.run("print(type(thing).count, Made.count, type(thing) is Made)")
    assert session.output == f"{count} {count} True\n"


def test_an_instance_has_the_class_that_a_cell_changed_when_it_ran_again(session: SavedSession) -> None:
    session.run("class Made:\n    count = 0\n    def __init__(self):\n        type(self).count += 1\nthing = Made()")
    session.run("g = (n for n in [thing, type(thing).count])\nnext(g)").run("_ = Made()").again()
    assert session.report["recomputed"] == ["g"]
    session.run("print(type(thing).count, Made.count, type(thing) is Made, next(g))")
    assert session.output == "2 2 True 1\n"


def test_warnings_that_were_given_before_are_no_difference(session: SavedSession) -> None:
    session.run("import warnings\ndef warn():\n    warnings.warn('beware')")
    session.run("warn()\ng = (n for n in [1, 2])\nglobals().get('t')").again()
    assert (session.report["lost"], session.report["recomputed"]) == ([], ["g"])


def test_a_database_in_memory_is_filled_again_in_the_same_order(session: SavedSession) -> None:
    session.run("import sqlite3\ndb = sqlite3.connect(':memory:')\ncur = db.cursor()")
    session.run("rows = [(1, 'a'), (2, 'b')]").run("_ = cur.execute('create table t (n, s)')")
    session.run("_ = cur.executemany('insert into t values (?, ?)', rows)").run("rows.append(3)")
    session.run("total = db.execute('select sum(n) from t').fetchone()[0]").again()
    assert session.report["recomputed"] == ["_", "cur", "db"]
    session.run("print(db.execute('select * from t').fetchall(), total, rows, cur.connection is db)")
    assert session.output == "[(1, 'a'), (2, 'b')] 3 [(1, 'a'), (2, 'b'), 3] True\n"


def test_it_finds_random_numbers_files_and_settings_as_they_were(session: SavedSession) -> None:
    session.run(
        "import random, os\nrandom.seed(9)\nopen('data.txt', 'w').write('one\\ntwo\\nthree\\n')\n"
        "os.environ['MODE'] = 'x'"
    )
    session.run("f = open('data.txt')\nline = f.readline()\nmode, drawn = os.environ['MODE'], random.random()")
    session.run("open('data.txt', 'w').write('else')\nos.environ['MODE'] = 'y'\nnext_drawn = random.random()")
    session.run("open('new.txt', 'w').write('n')").again()
    assert session.report["recomputed"] == ["f"]
    session.run("print(f.readline(), mode, open('data.txt').read(), os.environ['MODE'], sorted(os.listdir()))")
    assert session.output == "two\n x else y ['data.txt', 'new.txt']\n"
    assert "recomputing" not in entries(session.checkpoint)


def test_it_shares_with_other_variables_what_it_shared(session: SavedSession) -> None:
    session.run("xs = [1, 2]\ng = (x for x in xs)").run("first = next(g)").run("xs.append(3)").again()
    assert session.report["recomputed"] == ["g"]
    session.run("xs.append(4)\nprint(list(g), xs)")
    assert session.output == "[2, 3, 4] [1, 2, 3, 4]\n"


def test_it_is_bound_to_the_session(session: SavedSession) -> None:
    session.run("factor = 2\ndef scaled():\n    for n in range(5):\n        yield n * factor").run(
        "g = scaled()\nnext(g)"
    )
    session.again().run("factor = 10\nprint(next(g))")
    assert session.output == "10\n"


def test_a_variable_that_needs_another_that_is_gone_is_made_with_it(session: SavedSession) -> None:
    session.run("source = iter(x for x in range(10))").run("g = (x * 2 for x in source)\na = next(g)").run("del source")
    session.again().run("print(next(g), a)")
    assert session.output == "2 0\n"


def test_only_the_cells_since_the_last_assignment_run_again(session: SavedSession) -> None:
    session.run("import time\nruns = []")
    session.run("g = iter(x for x in (1, 2))\ntime.sleep(0.3)").run("g = iter(x for x in (3, 4))\na = next(g)").again()
    assert session.report["recomputed"] == ["g"]
    assert session.report["ms"] < 250
    assert session.show("next(g)") == "4"


def test_a_cell_that_raised_raises_again(session: SavedSession) -> None:
    session.run("g = iter(x for x in range(3))").run("a = next(g)\nraise ValueError('stop')\nb = next(g)").again()
    assert session.report["recomputed"] == ["g"]
    assert session.show("next(g)") == "1"


def test_a_value_that_comes_out_otherwise_is_lost_and_says_so(session: SavedSession) -> None:
    session.run("import time, uuid\ng = iter(x for x in range(3))\nstamp = uuid.uuid4().hex").again()
    assert session.report["recomputed"] == []
    assert lost(session)["g"] == (
        "The variable 'g' (builtins.generator) was lost when the kernel was restored after cell 0: A "
        "generator can't be "
        "saved; keep a list of what it yields, or make it in the cell that uses it. stamp had other values when the "
        "cells were run again. Make it again: `g = iter(x for x in range(3))` (cell 0)."
    )
    session.run("next(g)")
    assert session.output.startswith("VariableLost: The variable 'g' (builtins.generator) was lost")


def test_a_lost_variable_stays_lost_through_saves_and_is_free_to_be_made_again(session: SavedSession) -> None:
    session.run("import uuid\ng = iter(x for x in range(3)); u = uuid.uuid4()").again()
    session.run("held = {'g': g}; n = 1").again()
    assert set(lost(session)) == {"g"}
    session.run("held['g'].close()")
    assert "was lost when the kernel was restored after cell 0" in session.output
    session.run("g = 5").again()
    assert lost(session) == {}
    assert session.show("g") == "5"


def test_cells_that_wrote_files_are_not_run_again(session: SavedSession) -> None:
    session.run("f = open('log.txt', 'w')\nwritten = f.write('x'); f.flush()").again()
    assert "Cell 0 wrote files, so it is not run again." in lost(session)["f"]
    assert (session.workspace / "log.txt").read_text() == "x"


def test_tools_answer_from_the_records_of_their_cell_alone(session: SavedSession) -> None:
    session.run(
        "import toolbox\ng = iter([toolbox.ask('a')] + [x for x in 'bc'])\ng = (x for x in list(g))\nfirst = next(g)"
    )
    session.run("mine = first").again()
    assert session.report["recomputed"] == ["g"]
    session.run("print(next(g), first == mine)")
    assert session.output == "b True\n"
    for name in entries(session.checkpoint):
        if name.startswith("tool-"):
            (session.checkpoint / name).unlink()
    session.again()
    assert set(lost(session)) == {"g"}


def test_what_takes_longer_than_the_budget_is_lost(begin: Begin) -> None:
    session = begin(LIMITS=json.dumps({"recompute.BUDGET_MS": 200}))
    session.run("import time\nslow = (x for x in range(3)); time.sleep(0.3)\na = next(slow)")
    session.run("quick = (x for x in range(3))\nb = next(quick)").again()
    assert session.report["recomputed"] == ["quick"]
    assert re.search(r"took \d\.\d s, which is too long to run them again", lost(session)["slow"])


def test_a_variable_that_nothing_was_compared_with_is_named(session: SavedSession) -> None:
    session.run("g = iter(x for x in range(3))").run("n = 1").again()
    assert session.report["recomputed"] == session.report["unproved"] == ["g"]


def test_a_file_that_came_from_outside_survives_a_recompute(session: SavedSession) -> None:
    session.run("open('a.txt', 'w').write('one')").run("f = open('a.txt')\nx = f.read(1)").run(
        "open('b.txt', 'w').write('b')"
    )
    session.kill()
    (session.workspace / "outside.txt").write_text("here")
    session.start(exact=False)
    assert session.report["recomputed"] == ["f"]
    assert entries(session.workspace) == ["a.txt", "b.txt", "outside.txt"]
    assert session.run("print(f.read(), open('outside.txt').read())").output == "ne here\n"


def test_a_kernel_that_dies_while_cells_run_again_leaves_no_traces(session: SavedSession) -> None:
    session.run("import os, signal\nopen('a.txt', 'w').write('one')")
    session.run("f = open('a.txt')\nx = f.read(1)\nif 'DIE' in os.environ:\n    os.kill(os.getpid(), signal.SIGKILL)")
    session.run("open('a.txt', 'w').write('two')")
    session.kill()
    (session.workspace / "outside.txt").write_text("here")
    session._env["DIE"] = "1"
    for _ in range(3):
        with pytest.raises(KernelEnded):
            session.start(exact=False)
        assert session.wait() == -signal.SIGKILL
        # The cell read what had been there then.
        assert (session.workspace / "a.txt").read_text() == "one"
    session.start(exact=False)
    assert "the kernel ended each time" in lost(session)["f"]
    assert (session.workspace / "a.txt").read_text() == "two"
    assert (session.workspace / "outside.txt").read_text() == "here"


def test_a_thread_that_a_cell_starts_again_ends_before_anything_is_restored(session: SavedSession) -> None:
    session.run("import threading, time\nseen = []\ndef work():\n    time.sleep(0.3)\n    seen.append(1)")
    session.run("t = threading.Thread(target=work)\nt.start()").show("t.join()")
    session.run("n = len(seen)").again()
    session.run("import time\ntime.sleep(0.5)\nprint(n, len(seen))")
    assert session.output == "1 1\n"


def test_a_thread_that_does_not_end_is_not_left_in_the_restored_session(session: SavedSession) -> None:
    session.run(
        "import threading, time\nseen = []\ndef work():\n    while 'stop' not in globals():\n        time.sleep(0.01)"
    )
    session.run("t = threading.Timer(0.01, work)\nt.start()").run("g = (n for n in [1])\nstop = 1\nt.join()").run(
        "del stop"
    )
    session.kill()
    with pytest.raises(KernelEnded):
        session.start()
    session.start()
    assert {"t", "g"} <= lost(session).keys()
    session.run("print(threading.active_count())")
    assert session.output == "1\n"


def test_a_cell_that_comes_out_otherwise_spoils_no_other_variable(session: SavedSession) -> None:
    session.run("import os\nxs = [1]").run("g = (x for x in xs)\nif 'AGAIN' in os.environ: xs.append('spoilt')")
    session.kill()
    session._env["AGAIN"] = "1"
    session.start()
    assert set(lost(session)) == {"g"}
    assert session.show("xs") == "[1]"


def test_what_a_cell_shows_when_it_runs_again_is_not_shown_by_the_next_one(session: SavedSession) -> None:
    session.run("import matplotlib.pyplot as plt")
    session.run("%%time\ng = (x for x in range(3))\na = next(g)\nplt.plot([1, 2])\ndisplay(a)\nprint('hello')").again()
    assert session.report["recomputed"] == ["g"]
    assert session.show("plt.get_fignums()") == "[]"
    assert session.run("b = next(g)").output == ""


def test_a_variable_that_can_not_be_seen_through_may_be_changed_by_every_cell(session: SavedSession) -> None:
    session.run("deep = [[[n]] for n in range(9000)]\nclass Held:\n    pass")
    session.run("held = Held(); held.rows, held.g = deep, (x for x in deep)\nfirst = next(held.g)")
    session.run("inner = deep[1][0]; del deep").run("inner.append('later')").again()
    assert session.report["recomputed"] == ["held"]
    assert session.show("next(held.g)") == "[[1, 'later']]"
