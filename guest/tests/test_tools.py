"""What a model that calls tools is answered with."""

from __future__ import annotations

import json

from harness import Guest

CALL = "from nl2code_guest.tools import {0}\n{0}({1})"


def test_a_program_runs_in_a_fresh_interpreter_and_leaves_files_only(shared: Guest) -> None:
    shared.run("kept = 1")
    done = shared.run("%%python\nopen('made.txt', 'w').write('x')\nkept = 2\nprint('kept' in globals(), __name__)")
    assert (done.ended, done.stdout) == ("ok", "True __main__\n")
    assert shared.run("kept").text == "1"
    assert shared.run("%%python\nprint('kept' in globals(), open('made.txt').read())").stdout == "False x\n"
    assert shared.run("%%python\nimport os\nprint(os.path.exists('program.py'), '{{', '%%', '\\\\')").stdout == (
        "False {{ %% \\\n"
    )


def test_a_program_that_fails_is_a_failed_cell_with_its_own_traceback(shared: Guest) -> None:
    done = shared.run("%%python\nprint('before')\n1 / 0\n")
    assert done.ended == "error" and done.stdout == "before\n"
    assert "line 2" in done.stderr and "ZeroDivisionError: division by zero" in done.stderr
    assert done.message == "the program ended with exit code 1"
    assert "subprocess" not in done.traceback
    assert shared.run("%%python\n1 / 0\n").stderr == shared.run("%%python\n1 / 0\n").stderr


def test_modules_of_the_workspace_are_found(shared: Guest) -> None:
    (shared.workspace / "mine.py").write_text("WORD = 'mine'\n")
    assert shared.run("%%python\nimport mine\nprint(mine.WORD)").stdout == "mine\n"


def test_a_program_ends_at_the_time_limit_of_its_cell(shared: Guest) -> None:
    done = shared.run(
        "%%python\nimport os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)", timeout_ms=1500
    )
    assert done.ended == "timeout"
    pid = (shared.workspace / "pid").read_text()
    assert shared.run(f"import os\nos.path.exists('/proc/{pid}')").text == "False"


def test_read_schema_shows_one_file_or_names_those_there_are(shared: Guest) -> None:
    (shared.workspace / "a 'b'.csv").write_text("n,w\n1,x\n2,\n")
    done = shared.run(CALL.format("read_schema", json.dumps("a 'b'.csv")))
    assert done.ended == "ok" and "2 rows × 2 columns" in done.stdout and "1 null" in done.stdout
    done = shared.run(CALL.format("read_schema", json.dumps('x"); print("no')))
    assert done.ended == "ok" and "There is no file" in done.stdout and "a 'b'.csv" in done.stdout


def test_check_imports_says_what_is_there_under_which_name(shared: Guest) -> None:
    names = ["pandas", "sklearn.neighbors", "scikit-learn", "polars", "a b'", "", ".x"]
    done = shared.run(CALL.format("check_imports", json.dumps(names)))
    lines = done.stdout.splitlines()
    assert done.ended == "ok" and len(lines) == len(names)
    assert lines[0].startswith("pandas: can be imported (pandas 3.")
    assert lines[1].startswith("sklearn.neighbors: can be imported (scikit-learn ")
    assert lines[2] == "scikit-learn: is installed, and is imported as sklearn"
    assert all("can't be imported" in line for line in lines[3:])
