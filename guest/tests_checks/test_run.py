"""Laws of running a script as a process of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nl2code_checks.process_tree import descendants
from nl2code_checks.run import OUTPUT_BYTES, Run, run_script


@pytest.fixture(autouse=True)
def _workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(source: str, timeout_s: float = 20, seed: int = 1) -> Run:
    return run_script(source, "script.py", seed, timeout_s)


def test_a_good_run_reports_exit_and_both_streams() -> None:
    ended = run("import sys\nprint('out')\nprint('err', file=sys.stderr)\n")
    assert (ended["exit"], ended["stdout"]["text"], ended["stderr"]["text"]) == (0, "out\n", "err\n")
    assert (ended["failure"], ended["left"], ended["timed_out"]) == (None, 0, False)


def test_a_failure_shows_the_scripts_own_lines_only() -> None:
    ended = run("import json\n\ndef main():\n    json.loads('{')\n\nmain()\n")
    failure = ended["failure"]
    assert ended["exit"] == 1
    assert failure is not None
    assert failure["line"] == 4
    assert failure["message"].startswith("json.decoder.JSONDecodeError")
    assert "decoder.py" not in failure["traceback"]
    assert "json.loads('{')" in failure["traceback"]


def test_a_refusal_without_a_traceback_keeps_its_message() -> None:
    failure = run("import sys\nsys.exit('users.csv has no column user_id')\n")["failure"]
    assert failure == {
        "message": "users.csv has no column user_id",
        "traceback": "users.csv has no column user_id",
        "line": 0,
    }


def test_a_script_that_runs_too_long_is_stopped_and_says_where() -> None:
    ended = run("import time\nx = 1\ntime.sleep(60)\n", timeout_s=0.4)
    assert ended["timed_out"]
    assert ended["failure"] is not None
    assert ended["failure"]["line"] == 3
    assert ended["seconds"] < 3


def test_a_script_that_ignores_the_polite_stop_is_killed() -> None:
    ended = run("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass\n", timeout_s=0.4)
    assert (ended["timed_out"], ended["exit"]) == (True, -9)


def test_a_hundred_megabytes_of_output_are_bounded() -> None:
    ended = run(
        "import sys\nsys.stdout.write('start')\nfor _ in range(100): sys.stdout.write('x' * 1_000_000)\nprint('end')\n"
    )
    stdout = ended["stdout"]
    assert ended["exit"] == 0
    assert len(stdout["text"]) <= OUTPUT_BYTES
    assert stdout["text"].startswith("startx")
    assert stdout["text"].endswith("xend\n")
    assert len(stdout["text"]) + stdout["omitted"] == 100_000_009


def test_a_daemon_does_not_outlive_the_run() -> None:
    ended = run(
        "import os, time\n"
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        while True:\n            open('late.txt', 'a').write('x')\n            time.sleep(0.01)\n"
        "    os._exit(0)\n"
    )
    size = Path("late.txt").stat().st_size
    assert (ended["exit"], ended["left"]) == (0, 1)
    assert descendants(os.getpid()) == set()
    time.sleep(0.1)
    assert Path("late.txt").stat().st_size == size


def test_a_child_that_leaves_by_itself_is_no_leftover() -> None:
    ended = run("import subprocess\nsubprocess.Popen(['sleep', '0.2'])\n")
    assert (ended["exit"], ended["left"]) == (0, 0)


def test_a_tree_of_forks_is_ended() -> None:
    ended = run("import os, time\nfor _ in range(5): os.fork()\ntime.sleep(30)\n", timeout_s=0.5)
    assert ended["timed_out"]
    assert descendants(os.getpid()) == set()


def test_each_run_has_its_own_hash_seed_and_no_guest_code() -> None:
    source = (
        "import os\nprint(os.environ['PYTHONHASHSEED'], hash('x'))\n"
        "try:\n    import nl2code_checks\n    print('found')\nexcept ImportError:\n    pass\n"
    )
    texts = [run(source, seed=seed)["stdout"]["text"] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert "found" not in texts[0]


def test_a_run_waits_for_its_time() -> None:
    start = time.time() + 0.3
    assert run_script("pass", "script.py", 1, 5, not_before=start)["started"] >= start


def test_standard_input_is_empty() -> None:
    assert run("import sys\nprint(repr(sys.stdin.read()))\n")["stdout"]["text"] == "''\n"
