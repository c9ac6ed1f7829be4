"""Time limits and interrupts end a cell and keep its variables; they never reach another cell."""

from __future__ import annotations

import time

from harness import Guest


def test_a_timed_out_cell_leaves_the_kernel_usable(guest: Guest) -> None:
    done = guest.run("n = 0\nwhile True:\n    n += 1", timeout_ms=150)
    assert done.ended == "timeout"
    assert "time limit of 0.15 s" in done.message and "kept" in done.message
    assert "<cell 0>" in done.traceback
    after = guest.run("n > 0")
    assert (after.text, after.restored) == ("True", None)


def test_sleep_and_a_subprocess_are_interrupted_at_once(guest: Guest) -> None:
    began = time.monotonic()
    assert guest.run("import time; time.sleep(60)", timeout_ms=100).ended == "timeout"
    assert guest.run("import subprocess; subprocess.run(['sleep', '60'])", timeout_ms=100).ended == "timeout"
    assert time.monotonic() - began < 30
    assert guest.run("1").restored is None


def test_an_interrupt_of_the_host_says_interrupted(guest: Guest) -> None:
    guest.ask("x = 5\nprint('go', flush=True)\nwhile True: pass")
    assert guest.stream.receive()[0]["text"] == "go\n"
    guest.stream.send(type="interrupt", k=0)
    assert guest.stream.done().ended == "interrupted"
    assert guest.run("x").text == "5"


def test_an_interrupt_for_another_cell_is_ignored(guest: Guest) -> None:
    guest.ask("import time\ntime.sleep(0.2)\n'whole'")
    guest.stream.send(type="interrupt", k=5)
    done = guest.stream.done()
    assert (done.ended, done.text) == ("ok", "'whole'")
    guest.stream.send(type="interrupt", k=0)
    assert guest.run("1").ended == "ok"


def test_a_cell_that_swallows_the_interrupt_once_is_still_said_to_have_timed_out(guest: Guest) -> None:
    done = guest.run(
        "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    caught = True", timeout_ms=100
    )
    assert done.ended == "timeout" and "ran on to its end" in done.message
    assert guest.run("caught").text == "True"


def test_the_second_interrupt_ends_a_cell_that_swallowed_the_first(guest: Guest) -> None:
    code = (
        "import time\ndef stubborn():\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n"
        "        while True: pass\nstubborn()"
    )
    began = time.monotonic()
    done = guest.run(code, timeout_ms=100)
    assert done.ended == "timeout"
    assert 2 <= time.monotonic() - began < 30
    assert guest.run("1").restored is None


def test_a_cell_that_swallows_everything_loses_its_kernel_with_the_limit_named(guest: Guest) -> None:
    done = guest.run(
        "import time\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass", timeout_ms=100
    )
    assert done.ended == "kernel-died" and "time limit of 0.1 s" in done.message
    assert guest.run("1").restored


def test_a_cell_that_takes_the_signal_is_ended_and_gives_it_back(guest: Guest) -> None:
    guest.run("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert guest.run("while True: pass", timeout_ms=100).ended == "timeout"


def test_fifty_limits_near_the_end_of_a_cell_never_reach_the_kernel_or_the_next_cell(guest: Guest) -> None:
    pid = guest.kernel_pid()
    ends = {"ok": 0, "timeout": 0}
    for round_number in range(50):
        sleep = 0.02 + (round_number % 10) * 0.0002
        done = guest.run(f"import time\ntime.sleep({sleep})", timeout_ms=21)
        ends[done.ended] += 1
        after = guest.run("sum(range(2000))")
        assert (after.ended, after.text) == ("ok", "1999000")
    assert guest.kernel_pid() == pid
    assert sum(ends.values()) == 50


def test_interrupts_of_the_host_near_the_end_of_a_cell_are_as_harmless(guest: Guest) -> None:
    pid = guest.kernel_pid()
    for round_number in range(100):
        k = guest.ask(f"for _ in range({round_number * 40}): pass")
        guest.stream.send(type="interrupt", k=k)
        assert guest.stream.done().ended in ("ok", "interrupted")
        assert guest.run("1").ended == "ok"
    assert guest.kernel_pid() == pid


def test_a_signal_nobody_announced_changes_nothing(guest: Guest) -> None:
    done = guest.run("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n'on'")
    assert (done.ended, done.text) == ("ok", "'on'")


def test_a_timer_of_the_cell_survives_a_display(guest: Guest) -> None:
    code = (
        "import signal, time\nrang = []\nsignal.signal(signal.SIGALRM, lambda *_: rang.append(1))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\ndisplay(1)\ntime.sleep(0.1)\nrang"
    )
    assert guest.run(code).text == "[1]"


def test_a_limit_during_a_display_is_a_timeout(guest: Guest) -> None:
    done = guest.run("class Slow:\n    def __repr__(self):\n        while True: pass\nSlow()", timeout_ms=100)
    assert done.ended == "timeout"
    assert guest.run("1").ended == "ok"
