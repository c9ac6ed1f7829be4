"""A cell has one result, whatever dies under it; what kills its kernel every time is told apart and passed over."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
from harness import Guest, Start, children, kill, until_gone

from nl2code_guest.system_calls import has_stopped

WAIT = "\nimport time\ntime.sleep(60)"


def until_two(guest: Guest) -> str:
    """Code that waits in its first run and goes on in the second."""
    path = str(guest.folder / "traces")
    return f"\nimport time\nwhile len(open({path!r}).read()) < 2: time.sleep(0.001)"


def test_a_cell_whose_kernel_was_killed_runs_again_from_the_state_before_it(guest: Guest) -> None:
    guest.run("kept = [1]\nopen('file', 'w').write('before')")
    pid = guest.kernel_pid()
    code = guest.once() + (
        "\nkept.append(2)\nopen('file', 'a').write(' and after')\nopen('left', 'w')"
        f"{until_two(guest)}\nimport os\n(kept, open('file').read(), os.getpid())"
    )
    guest.ask(code)
    guest.until_traces(1)
    kill(pid)
    done = guest.stream.done()
    assert (done.ended, done.agains, guest.traces()) == ("ok", [2], 2)
    assert done.text.startswith("([1, 2], 'before and after', ") and str(pid) not in done.text
    (again,) = done.heard
    assert "killed by SIGKILL" in again["message"] and "run 2 of 3" in again["message"]
    # The output of the run that died is no part of the result.
    assert done.stdout == "1\n" and done.restored and done.restored["head"] == 1
    assert guest.run("kept").restored is None


def test_a_cell_sent_to_a_kernel_that_is_already_dead_runs_once(guest: Guest) -> None:
    pid = guest.kernel_pid()
    with guest.held():
        kill(pid)
        until_gone(pid)
        guest.ask(guest.once())
    done = guest.stream.done()
    assert (done.ended, done.agains, guest.traces()) == ("ok", [], 1)


def test_a_kernel_killed_between_two_cells_is_missed_by_nobody(guest: Guest) -> None:
    guest.run("x = 1")
    kill(guest.kernel_pid())
    assert guest.run("x").text == "1"


def test_a_cell_is_not_given_to_a_kernel_that_only_gives_its_memory_back(guest: Guest) -> None:
    half = 1 << 29
    guest.run(
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.malloc.restype = ctypes.c_void_p\n"
        f"libc.memset(ctypes.c_void_p(libc.malloc({half})), 1, {half})\ndel libc\nx = 1"
    )
    pid = guest.kernel_pid()
    os.kill(pid, signal.SIGKILL)
    while not has_stopped(pid):
        pass
    done = guest.run("x")
    assert (done.text, done.agains) == ("1", [])


def test_a_cell_that_ran_and_was_not_saved_has_its_result_once(guest: Guest) -> None:
    guest.run("n = 1")
    guest.fail_at("cell-ran-nothing-saved")
    done = guest.run(guest.once() + "\nn += 1\nn")
    assert (done.text, done.agains, guest.traces()) == ("2", [2], 2)
    assert guest.run("n").text == "2"


def test_a_cell_whose_kernel_died_between_its_state_and_its_reply_has_its_result_once(plain: Guest) -> None:
    plain.run("n = 1")
    (plain.checkpoint / "saved-and-dead").touch()
    done = plain.run(plain.once() + "\nn += 1\nn")
    assert (done.text, done.agains, plain.traces()) == ("2", [2], 2)
    assert plain.run("n").text == "2"


def test_a_kernel_killed_in_the_middle_of_a_restore_restores_once_more(guest: Guest) -> None:
    guest.run("n = 1\nopen('file', 'w').write('before')")
    pid = guest.kernel_pid()
    guest.fail_at("restore-half-done")
    guest.ask(f"open('file', 'a').write(' and after')\n{guest.once()}{until_two(guest)}\nn, open('file').read()")
    guest.until_traces(1)
    kill(pid)
    done = guest.stream.done()
    assert (done.text, guest.traces()) == ("(1, 'before and after')", 2)
    assert not list((guest.checkpoint / "fail-points").iterdir())


DEATHS = {
    "a kill -9, as of a kernel without memory": (
        "os.kill(os.getpid(), 9)",
        "killed by SIGKILL (most likely it ran out",
    ),
    "a segmentation fault": (
        "import ctypes; ctypes.string_at(0)",
        "killed by SIGSEGV (a segmentation fault in C code)",
    ),
    "os._exit": ("os._exit(3)", "exit code 3 (os._exit"),
    "C code that gives up": ("os.abort()", "killed by SIGABRT"),
}


@pytest.mark.parametrize(("code", "said"), DEATHS.values(), ids=DEATHS.keys())
def test_a_cell_that_kills_its_kernel_every_time_is_told_so_and_passed_over(guest: Guest, code: str, said: str) -> None:
    guest.run("kept = [1]\nopen('file', 'w').write('before')")
    (guest.workspace / "outside").write_text("came before the cell")
    poison = guest.once() + f"\nimport os\nkept.append(2)\nopen('file', 'a').write('x')\nopen('left', 'w')\n{code}"
    done = guest.run(poison)
    assert (done.ended, done.agains, done.saved, guest.traces()) == ("kernel-died", [2, 3], "local", 3)
    assert said in done.message and "run 3 times" in done.message and "state before this cell" in done.message
    assert done.stdout == "1\n"
    guest.stream.ask(1, poison)
    assert guest.stream.done().header["cached"]
    after = guest.run("import os\n(kept, sorted(os.listdir()), open('file').read())")
    assert after.text == "([1], ['file', 'outside'], 'before')"
    assert guest.traces() == 3


def test_a_cell_over_the_memory_limit_of_its_process_is_an_error_and_no_death(start: Start) -> None:
    guest = start(limits={resource.RLIMIT_DATA: 1 << 30})
    done = guest.run("kept = 1\nlarge = bytearray(4 << 30)")
    assert (done.ended, done.reply["error"]["type"]) == ("error", "MemoryError")
    assert guest.run("kept").text == "1"


def test_deaths_of_the_sandbox_count_and_the_third_is_told_without_another_run(start: Start) -> None:
    guest = start()
    guest.run("kept = 1")
    code = guest.once() + WAIT
    for run in (1, 2, 3):
        guest.stream.ask(1, code)
        guest.until_traces(run)
        guest.kill()
        guest = start()
        assert (guest.welcome["head"], guest.welcome["running"]) == (0, None)
    guest.stream.ask(1, code)
    done = guest.stream.done()
    assert (done.ended, done.saved, done.header["cached"], guest.traces()) == ("kernel-died", "local", False, 3)
    assert "The sandbox ended in this cell" in done.message and "run 3 times" in done.message
    guest.next = 2
    assert guest.run("kept").text == "1"


def test_a_cell_that_may_run_once_is_told_after_the_first_death(guest: Guest) -> None:
    guest.run("kept = [1]\nopen('file', 'w').write('before')")
    poison = guest.once() + "\nkept.append(2)\nopen('file', 'a').write('x')\nimport os\nos.abort()"
    done = guest.run(poison, maxRuns=1)
    assert (done.ended, done.agains, done.saved, guest.traces()) == ("kernel-died", [], "local", 1)
    assert "killed by SIGABRT" in done.message and "times" not in done.message
    assert guest.run("kept, open('file').read()").text == "([1], 'before')"
    # The next cell has its own limit, and nobody gets more runs than there are.
    assert (guest.run(poison, maxRuns=2).agains, guest.traces()) == ([2], 3)
    assert (guest.run(poison, maxRuns=9).agains, guest.traces()) == ([2, 3], 6)


def test_a_cell_that_may_run_once_is_not_run_again_by_the_next_sandbox(start: Start) -> None:
    guest = start()
    guest.run("kept = 1")
    code = guest.once() + WAIT
    guest.stream.ask(1, code, maxRuns=1)
    guest.until_traces(1)
    guest.kill()
    guest = start()
    guest.stream.ask(1, code, maxRuns=1)
    done = guest.stream.done()
    assert (done.ended, done.saved, guest.traces()) == ("kernel-died", "local", 1)
    assert "The sandbox ended in this cell" in done.message and "times" not in done.message
    guest.next = 2
    assert guest.run("kept").text == "1"


@pytest.mark.parametrize("runs", [0, -1, True, "1", None, 1.5])
def test_a_limit_of_runs_that_is_no_number_of_runs_ends_the_stream(guest: Guest, runs: object) -> None:
    guest.ask("1", maxRuns=runs)
    refused = guest.stream.answer()
    assert (refused["code"], "maxRuns of exec" in refused["message"]) == ("protocol", True)


def test_a_cell_of_a_lost_sandbox_runs_again_and_its_host_hears_which_run_it_is(start: Start) -> None:
    guest = start()
    guest.run("kept = [1]")
    code = guest.once() + (
        f"\nkept.append(2)\nopen('left', 'a').write('x'){until_two(guest)}\n(kept, open('left').read())"
    )
    guest.ask(code)
    guest.until_traces(1)
    guest.kill()
    second = start()
    assert second.welcome["bootId"] != guest.welcome["bootId"]
    second.stream.ask(1, code)
    done = second.stream.done()
    assert (done.text, done.agains, second.traces()) == ("([1, 2], 'x')", [2], 2)
    assert "The sandbox ended while this cell ran." in done.heard[0]["message"]


@pytest.mark.parametrize(
    ("point", "runs", "cached"), [("manifest-not-renamed", 2, False), ("manifest-renamed-reply-not-sent", 1, True)]
)
def test_an_init_killed_around_its_commit_leaves_a_cell_that_counts_once(
    start: Start, point: str, runs: int, cached: bool
) -> None:
    guest = start()
    guest.run("n = 1")
    guest.fail_at(point)
    code = guest.once() + "\nn += 1\nn"
    guest.ask(code)
    guest.process.wait(20)
    second = start()
    assert second.welcome["head"] == (1 if cached else 0)
    second.stream.ask(1, code)
    done = second.stream.done()
    assert (done.text, done.header["cached"], second.traces()) == ("2", cached, runs)
    second.next = 2
    assert second.run("n").text == "2"


def test_a_cell_killed_for_its_time_limit_is_told_at_once_and_the_state_before_it_goes_on(guest: Guest) -> None:
    guest.run("kept = [1]")
    code = (
        f"{guest.once()}\nkept.append(2)\nopen('left', 'w')\nimport time\n"
        "while True:\n    try: time.sleep(60)\n    except BaseException: pass"
    )
    done = guest.run(code, timeout_ms=200)
    assert (done.ended, done.agains, guest.traces()) == ("kernel-died", [], 1)
    assert "time limit of 0.2 s" in done.message and "state before this cell" in done.message
    assert guest.run("import os\n(kept, os.listdir())").text == "([1], [])"


def test_a_cell_that_dies_of_its_interrupt_is_not_run_again(guest: Guest) -> None:
    code = f"import os, time\ntry:\n    {guest.once()}\n    time.sleep(60)\nexcept KeyboardInterrupt: os._exit(1)"
    guest.ask(code)
    guest.until_traces(1)
    guest.stream.send(type="interrupt", k=0)
    done = guest.stream.done()
    assert (done.ended, done.agains, guest.traces()) == ("kernel-died", [], 1)


def test_an_interrupt_between_two_runs_ends_the_next_one(guest: Guest) -> None:
    pid = guest.kernel_pid()
    guest.ask(guest.once() + WAIT)
    guest.until_traces(1)
    with guest.held():
        kill(pid)
        until_gone(pid)
        guest.stream.send(type="interrupt", k=1)
    done = guest.stream.done()
    # Its death is heard before or after the interrupt.
    assert done.ended in ("interrupted", "kernel-died") and guest.traces() in (1, 2)


def test_a_dead_kernel_takes_what_it_started_with_it(guest: Guest) -> None:
    daemon = int(guest.run("import subprocess\nsubprocess.Popen(['sleep', '60'], start_new_session=True).pid").text)
    kill(guest.kernel_pid())
    assert guest.run("1").text == "1"
    assert until_gone(daemon)


def test_a_host_that_comes_while_a_cell_runs_again_sees_which_run_it_is(guest: Guest) -> None:
    pid = guest.kernel_pid()
    code = guest.once() + (
        f"\nimport os, time\nwhile not os.path.exists({str(guest.folder / 'go')!r}): time.sleep(0.001)\n'done'"
    )
    guest.ask(code)
    guest.until_traces(1)
    kill(pid)
    guest.until_traces(2)
    guest.attach()
    guest.stream.ask(1, code)
    (guest.folder / "go").touch()
    done = guest.stream.done()
    assert (done.text, done.agains, done.live()) == ("'done'", [2], done.stdout)


def test_a_kernel_that_came_early_is_replaced_by_a_warmer_one_that_knows_as_much(start: Start) -> None:
    # Importing takes long enough for the look at the inputs to come first.
    guest = start(warm="all")
    inspection = "__import__('nl2code_guest.inspection', fromlist=['report']).report()"
    (zygote,) = children(guest.process.pid)
    guest.ask(inspection)
    while not (kernels := set(children(guest.process.pid)) - {zygote}):
        pass
    assert guest.stream.done().ended == "ok"
    # It was forked while the zygote still imported.
    assert until_gone(*kernels, seconds=30)
    done = guest.run("1")
    # It is no news that a kernel which knew nothing is back.
    assert (done.text, done.restored) == ("1", None)


def test_a_kernel_is_forked_as_soon_as_what_its_state_needs_is_imported(start: Start, tmp_path: Path) -> None:
    guest = start()
    guest.run("x = 1")
    guest.kill()
    second = start(warm="all")
    second.next = 1
    # Its manifest wants nothing, and the zygote goes on to import for a second or more.
    done = second.run("import sys\n('scipy' in sys.modules, x)")
    assert done.text == "(False, 1)"
