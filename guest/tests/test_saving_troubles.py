"""A save that fails loses nothing: the next one carries on. What cells have done to the process changes none."""

from __future__ import annotations

import json

from saved_session import Begin, SavedSession, entries


def test_a_disk_that_is_full_is_told_and_the_next_save_carries_on(session: SavedSession) -> None:
    session.run("import resource\nx = [1]\nlimits = resource.getrlimit(resource.RLIMIT_FSIZE)")
    before = entries(session.checkpoint / "segments")
    session.run("resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))\nbig = list(range(3000))\nx.append(2)")
    assert session.outcome == {
        "unsaved": "What this cell left could not be saved: File too large. "
        "It is kept in memory and saved with a later cell."
    }
    assert entries(session.checkpoint / "segments") == before
    session.run("def f(): x.append(len(big))").run("f()")
    assert "unsaved" in session.outcome
    session.run("resource.setrlimit(resource.RLIMIT_FSIZE, limits)\nf()")
    assert session.outcome == "inline"
    assert session.headers[-1]["covers"] == [1, 4]
    assert [cell["k"] for cell in session.states[-1]["earlier"]] == [1, 2, 3]
    session.again()
    assert session.head == 4
    assert session.show("(x, len(big))") == "([1, 2, 3000, 3000], 3000)"


def test_what_is_not_saved_when_the_kernel_dies_was_never_there(session: SavedSession) -> None:
    session.run("import resource\nx = [1]\nlimits = resource.getrlimit(resource.RLIMIT_FSIZE)")
    session.run(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))\nbig = list(range(3000))\nx.append(2)"
    ).again()
    assert session.head == 0
    assert session.show("x") == "[1]"
    assert session.run("x.append(5)").outcome == "inline"
    assert session.again().show("x") == "[1, 5]"


def test_the_quota_is_told_in_a_sentence_and_room_made_is_used(begin: Begin) -> None:
    session = begin(quota=6 << 20)
    session.run("small = [1]").run("import os\nbig = os.urandom(8 << 20)\nsmall.append(2)")
    assert "MiB it may have" in session.outcome["unsaved"]
    session.run("del big\nsmall.append(3)")
    assert session.outcome == "inline"
    assert session.again().show("small") == "[1, 2, 3]"


def test_one_variable_that_can_not_be_pickled_spoils_no_other(session: SavedSession) -> None:
    session.run(
        "class Bad:\n    def __reduce__(self):\n        raise RuntimeError('no')\n"
        "class Worse:\n    def __getstate__(self):\n        raise SystemExit(1)\n"
        "bad, worse, nested, good = Bad(), Worse(), {'b': Bad()}, [1]"
    )
    assert session.outcome == "inline"
    refused = session.states[-1]["refused"]
    assert set(refused) == {"bad", "worse", "nested"}
    assert "RuntimeError: no" in refused["bad"]["message"]
    session.run("bad = 1").run("good.append(2)").again()
    assert session.show("(bad, good)") == "(1, [1, 2])"


def test_pickling_that_does_not_end_refuses_its_variable_alone(begin: Begin) -> None:
    session = begin(LIMITS=json.dumps({"serialise._SECONDS": 0.5}))
    session.run("class Slow:\n    def __reduce__(self):\n        while True: pass\nslow, good = Slow(), [1]")
    assert session.states[-1]["refused"]["slow"]["kind"] == "too-slow"
    assert 400 < session.ms < 3000
    # It is not tried again as long as it is the same one.
    session.run("slow; good.append(2)")
    assert session.ms < 300
    assert session.again().show("good") == "[1, 2]"


PATCHED = """
import json, os, builtins, pickle, io, time, sys, base64
def broken(*a, **o):
    raise RuntimeError('patched')
for module, names in [(json, 'dumps loads JSONEncoder'), (os, 'open write rename fstat fsync makedirs scandir fork'),
                      (pickle, 'dumps loads Pickler Unpickler'), (time, 'monotonic perf_counter'), (io, 'BytesIO'),
                      (builtins, 'sorted open zip'), (base64, 'b64encode')]:
    for name in names.split():
        setattr(module, name, broken)
x = [1]
"""


def test_what_a_cell_patches_does_not_reach_the_save(session: SavedSession) -> None:
    session.run(PATCHED)
    assert session.outcome == "inline", session.outcome
    session.again()
    assert session.show("x") == "[1]"
    # The modules are as the new process has them.
    assert session.show("len(json.dumps([1]))") == "3"


def test_a_patch_is_still_there_for_the_next_cell(session: SavedSession) -> None:
    session.run("import json\nold = json.dumps\njson.dumps = lambda v: 'mine'").run("print(json.dumps(1))")
    assert session.output == "mine\n"


def test_a_trace_function_and_a_timer_of_the_user_do_not_meet_the_save(session: SavedSession) -> None:
    session.run(
        "import sys\ncalls = []\ndef tracer(frame, *a):\n    calls.append(frame.f_code.co_name)\nsys.settrace(tracer)"
    )
    session.run("def own(): pass\nown()").run("sys.settrace(None)\nfound = set(calls)")
    assert session.show("{'_save_cell', 'serialise', 'produce'} & found") == "set()"
    session.run(
        "import signal, time\ndef ring(*a): raise RuntimeError('ring')\nsignal.signal(signal.SIGALRM, ring)\n"
        "class Slow:\n    def __getstate__(self):\n        time.sleep(0.2)\n        return {'x': 1}\n"
        "s = Slow()\n_ = signal.setitimer(signal.ITIMER_REAL, 0.05)"
    )
    assert session.outcome == "inline"
    assert session.states[-1]["refused"] == {}
    assert session.run("y = 1").again().show("(s.x, y)") == "(1, 1)"


def test_interrupts_and_other_signals_never_tear_a_save(session: SavedSession) -> None:
    session.run(
        "import signal, os\ndef stop(*a): raise KeyboardInterrupt\n"
        "for n in (signal.SIGUSR1, signal.SIGTERM, signal.SIGVTALRM):\n"
        "    signal.signal(n, stop)\n"
        "class Noisy:\n    def __reduce__(self):\n"
        "        for n in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM, signal.SIGVTALRM):\n"
        "            os.kill(os.getpid(), n)\n        return int, (5,)\nn = Noisy(); m = [1]"
    )
    assert session.outcome == "inline"
    assert session.states[-1]["refused"] == {}
    session.run("m.append(n)").run("m[0] = 2").again()
    assert session.show("(n, m)") == "(5, [2, 5])"


def test_what_pickled_objects_print_is_not_output_of_a_cell(session: SavedSession) -> None:
    session.run(
        "class Loud:\n    def __getstate__(self):\n        print('loud')\n        return {}\nx = Loud()\nprint('mine')"
    )
    assert session.output == "mine\n"


def test_finalizers_do_not_run_in_the_midst_of_a_save(session: SavedSession) -> None:
    session.run(
        # What is printed during a save goes to a stream of its own.
        "import gc, sys\nseen = []\nclass Node:\n    def __del__(self):\n"
        "        seen.append(type(sys.stdout).__name__ == '_Nowhere')\n"
        "def litter():\n    for _ in range(3000):\n        n = Node(); n.me = n\nlitter()"
    )
    session.run("gc.collect()\nanswer = any(seen), len(seen) > 0")
    assert session.show("answer") == "(False, True)"


def test_every_cell_of_a_session_may_be_followed_by_a_death(session: SavedSession) -> None:
    for number in range(12):
        session.run(f"x{number} = [{number}]; y = x{max(0, number - 3)}").again()
        assert session.report["variables"] == number + 2
    assert session.show("y is x8") == "True"
