"""What cells write: whole, clean, bounded, and each cell its own."""

from __future__ import annotations

import time

from harness import Guest


def test_both_streams_are_told_apart_and_streamed_live(shared: Guest) -> None:
    code = "import os, sys, time\nprint('out')\nprint('err', file=sys.stderr)\n"
    shared.ask(code + "while not os.path.exists('seen'): time.sleep(0.001)\nprint('end')")
    seen = {shared.stream.receive()[0]["text"] for _ in range(2)}
    assert seen == {"out\n", "err\n"}
    (shared.workspace / "seen").touch()
    done = shared.stream.done()
    assert (done.stdout, done.stderr) == ("out\nend\n", "err\n")


def test_output_of_subprocesses_and_of_c_code_is_the_cells(shared: Guest) -> None:
    done = shared.run(
        "import ctypes, os, subprocess\nsubprocess.run(['sh', '-c', 'echo sub; echo bad >&2'])\n"
        "ctypes.CDLL(None).puts(b'from C')\nos.write(1, b'raw\\n')\nprint('last')"
    )
    assert sorted(done.stdout.split("\n")[:-1]) == ["from C", "last", "raw", "sub"]
    assert done.stderr == "bad\n"


def test_output_without_a_newline_and_print_before_an_error_arrive(shared: Guest) -> None:
    assert shared.run("print('a', end='')").stdout == "a"
    done = shared.run("print('before')\n1 / 0")
    assert (done.stdout, done.ended) == ("before\n", "error")


def test_the_middle_of_long_output_is_cut_and_counted(shared: Guest) -> None:
    done = shared.run("print('a' * 3000 + 'b' * 3000)", chars=1000)
    kept = done.reply["stdout"]
    assert kept["text"].startswith("a" * 600) and kept["text"].rstrip().endswith("b" * 399)
    assert kept["omitted"] == 6001 - 1000
    assert kept["text"].count("a") == 600


def test_output_within_the_limit_is_whole(shared: Guest) -> None:
    assert shared.run("print('x' * 999)", chars=1000).reply["stdout"] == {"text": "x" * 999 + "\n", "omitted": 0}
    assert shared.run("print('x' * 10)", chars=0).reply["stdout"]["omitted"] == 11


def test_characters_are_never_split_however_they_arrive(shared: Guest) -> None:
    code = (
        "import os, time\nfor byte in 'é€𝄞'.encode() * 20:\n    os.write(1, bytes([byte]))\n"
        "    time.sleep(0.0005)\nos.write(2, b'\\xff\\xe2\\x82')"
    )
    done = shared.run(code)
    assert done.stdout == done.live() == "é€𝄞" * 20
    assert done.stderr == "��"


def test_control_characters_and_terminal_escapes_are_dropped(shared: Guest) -> None:
    code = r"print('a\x1b[31mred\x1b[0m\x00\x07\x9b\tb\r\n\x1b]0;title\x07c', end='')"
    assert shared.run(code).stdout == "ared\tb\nc"


def test_an_escape_split_between_two_writes_is_dropped_too(shared: Guest) -> None:
    code = (
        "import os, time\nfor part in (b'a\\x1b', b'[3', b'1mb', b'\\x1b]0;ti', b'tle\\x07c'):\n"
        "    os.write(1, part)\n    time.sleep(0.02)"
    )
    done = shared.run(code)
    assert (done.stdout, done.live()) == ("abc", "abc")


def test_lone_surrogates_are_shown_escaped(shared: Guest) -> None:
    assert shared.run(r"print('\ud800')").stdout == "\\ud800\n"
    assert shared.run(r"raise ValueError('\ud800')").ended == "error"
    assert shared.run(r"'\ud800'").text == r"'\ud800'"


def test_a_flood_streams_a_bounded_part_and_keeps_head_and_tail(shared: Guest) -> None:
    done = shared.run("for i in range(400_000): print(i, 'x' * 40)")
    assert done.ended == "ok"
    assert done.stdout.startswith("0 x") and "399999 x" in done.stdout[-100:]
    assert 0 < len(done.live()) <= 1 << 20


def test_output_without_end_is_interrupted(shared: Guest) -> None:
    done = shared.run("import os\nblock = b'y' * 65536\nwhile True: os.write(1, block)")
    assert done.ended == "interrupted" and "more than 64 MB" in done.message
    assert shared.run("1").text == "1"


def test_a_background_thread_neither_holds_the_cell_nor_writes_into_the_next(guest: Guest) -> None:
    guest.run(
        "import os, threading, time\ndef late():\n    while not os.path.exists('go'): time.sleep(0.001)\n"
        "    for _ in range(40): print('late')\n    open('over', 'w')\n"
        "threading.Thread(target=late, daemon=True).start()"
    )
    (guest.workspace / "go").touch()
    while not (guest.workspace / "over").exists():
        time.sleep(0.001)
    done = guest.run("print('mine')")
    assert (done.stdout, done.ended) == ("mine\n", "ok")


def test_output_that_comes_after_a_cell_was_sent_and_before_it_runs_is_not_its_own(guest: Guest) -> None:
    guest.run(
        "import os, threading, time\ndef late():\n    while not os.path.exists('go'): time.sleep(0.001)\n"
        "    print('late')\n    open('over', 'w')\nthreading.Thread(target=late, daemon=True).start()"
    )
    with guest.held():
        guest.ask("print('mine')")
        (guest.workspace / "go").touch()
        while not (guest.workspace / "over").exists():
            time.sleep(0.001)
    assert guest.stream.done().stdout == "mine\n"


def test_a_flooding_daemon_does_not_keep_cells_from_ending(guest: Guest) -> None:
    began = time.monotonic()
    guest.run("import subprocess\np = subprocess.Popen(['yes'])")
    assert guest.run("1 + 1").text == "2"
    assert guest.run("p.kill(); p.wait()").ended == "ok"
    assert time.monotonic() - began < 30
    assert guest.run("print('clean')").stdout == "clean\n"


def test_a_child_that_holds_the_pipes_open_holds_nothing_up(guest: Guest) -> None:
    began = time.monotonic()
    guest.run("import subprocess\np = subprocess.Popen(['sleep', '30'])")
    assert time.monotonic() - began < 25
    assert guest.run("p.kill()").ended == "ok"


def test_a_cell_that_closes_its_streams_gets_new_ones(guest: Guest) -> None:
    guest.run("import sys; sys.stdout.close()")
    assert guest.run("print('back')").stdout == "back\n"
    guest.run("import io, sys; sys.stdout = io.StringIO()")
    assert guest.run("sys.stdout = sys.__stdout__\nprint('again')").stdout == "again\n"


def test_standard_input_is_empty(shared: Guest) -> None:
    assert shared.run("import sys; sys.stdin.read()").text == "''"
    assert shared.run("import os; os.read(0, 10)").text == "b''"
