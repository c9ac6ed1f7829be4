"""Errors are shown as the user's lines, with what to do next where we know it."""

from __future__ import annotations

from harness import Guest


def test_a_traceback_shows_the_lines_of_every_cell_involved(shared: Guest) -> None:
    k = shared.next
    shared.run("def half(x):\n    return x / 0")
    done = shared.run("y = 1\nhalf(y)")
    assert done.reply["error"]["type"] == "ZeroDivisionError"
    assert done.message == "division by zero"
    lines = done.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert f'File "<cell {k + 1}>", line 2, in <module>' in lines[1] and lines[2].strip() == "half(y)"
    assert f'File "<cell {k}>", line 2, in half' in done.traceback
    assert "nl2code_guest" not in done.traceback


def test_library_frames_are_one_line(shared: Guest) -> None:
    done = shared.run("import json\njson.loads('{')")
    assert "… 4 lines inside json/__init__.py, json/decoder.py" in done.traceback.replace("3 lines", "4 lines")
    assert done.traceback.count("File ") == 1


def test_a_module_of_the_workspace_is_the_users(shared: Guest) -> None:
    shared.run("%%writefile broken_part.py\ndef go():\n    raise KeyError('here')")
    done = shared.run("import broken_part\nbroken_part.go()")
    assert "broken_part.py" in done.traceback and "raise KeyError('here')" in done.traceback


def test_a_syntax_error_has_its_caret(shared: Guest) -> None:
    done = shared.run("a = 1\nb = = 2")
    assert done.reply["error"]["type"] == "SyntaxError"
    assert "b = = 2\n" in done.traceback and "^" in done.traceback and "line 2" in done.traceback
    assert "ast.py" not in done.traceback


def test_causes_are_shown_in_their_order(shared: Guest) -> None:
    done = shared.run("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('no') from e")
    assert done.traceback.index("division by zero") < done.traceback.index("direct cause") < done.traceback.index("no")
    assert done.reply["error"]["type"] == "ValueError"


def test_recursion_without_end_is_short(shared: Guest) -> None:
    done = shared.run("def f(): return f()\nf()")
    assert done.reply["error"]["type"] == "RecursionError"
    assert len(done.traceback) < 2000 and "calls itself" in done.message


def test_out_of_memory_says_what_to_do(shared: Guest) -> None:
    done = shared.run("raise MemoryError")
    assert "chunks" in done.message and done.ended == "error"
    assert shared.run("1").text == "1"


def test_an_error_that_can_not_be_shown_is_an_error_all_the_same(shared: Guest) -> None:
    done = shared.run("class Odd(Exception):\n    def __str__(self): raise RuntimeError\nraise Odd")
    assert (done.ended, done.reply["error"]["type"]) == ("error", "Odd")


def test_a_huge_message_is_bounded(shared: Guest) -> None:
    done = shared.run("raise ValueError('x' * 10_000_000)")
    assert len(done.message) < 5000 and len(done.traceback) < 13_000


def test_an_interrupt_the_cell_raises_itself_is_an_error(shared: Guest) -> None:
    done = shared.run("raise KeyboardInterrupt")
    assert (done.ended, done.reply["error"]["type"]) == ("error", "KeyboardInterrupt")


def test_top_level_await_names_the_other_way(shared: Guest) -> None:
    done = shared.run("import asyncio\nawait asyncio.sleep(0)")
    assert "asyncio.run(main())" in done.message
    assert shared.run("import asyncio\nasync def main(): return 3\nasyncio.run(main())").text == "3"


def test_a_crash_in_c_code_names_the_signal_and_the_line(guest: Guest) -> None:
    done = guest.run("import ctypes\nctypes.string_at(0)")
    assert done.ended == "kernel-died" and "SIGSEGV" in done.message
    assert '"<cell 0>", line 2' in done.stderr
    assert guest.run("1").restored


def test_leaving_by_os_exit_is_a_death_with_its_code(guest: Guest) -> None:
    done = guest.run("print('bye', flush=True)\nimport os\nos._exit(7)")
    assert (done.ended, done.stdout) == ("kernel-died", "bye\n")
    assert "exit code 7" in done.message


def test_exit_ends_the_cell_and_not_the_kernel(shared: Guest) -> None:
    for code in ("exit()", "quit()", "import sys; sys.exit(0)", "raise SystemExit"):
        done = shared.run(f"kept = 1\n{code}\nkept = 2")
        assert done.ended == "ok" and "kernel and its variables go on" in done.stderr
        assert shared.run("kept").text == "1"
    done = shared.run("import sys; sys.exit('no data')")
    assert done.ended == "error" and "'no data'" in done.message
    assert shared.run("sys.exit(2)").ended == "error"


def test_code_that_is_too_deep_to_parse_is_an_error(shared: Guest) -> None:
    done = shared.run("(" * 5000 + ")" * 5000)
    assert done.ended in ("error", "kernel-died")
    assert shared.run("1").text == "1"
