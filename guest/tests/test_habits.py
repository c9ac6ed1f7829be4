"""What people type in notebooks works or gets one sentence."""

from __future__ import annotations

import pytest
from harness import Guest


def test_matplotlib_inline_and_its_like_change_nothing(shared: Guest) -> None:
    done = shared.run("%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n5")
    assert (done.ended, done.text, done.stdout, done.stderr) == ("ok", "5", "", "")


def test_time_of_a_cell_and_of_a_line(shared: Guest) -> None:
    done = shared.run("%%time\nx = 3\nx")
    assert done.text == "3" and "Wall time" in done.stdout
    done = shared.run("%time y = x + 1\ny")
    assert done.text == "4" and "Wall time" in done.stdout
    assert "Wall time" in shared.run("%time sum(range(10))").stdout
    assert "Wall time" not in shared.run("1").stdout
    done = shared.run("%%time\n1 / 0")
    assert done.ended == "error" and "line 2" in done.traceback
    assert "Wall time" not in shared.run("1").stdout


def test_writefile_writes_the_rest_of_the_cell(shared: Guest) -> None:
    done = shared.run("%%writefile sub/made by me.py\nprint('é')\n\n%done\n")
    assert done.ended == "ok"
    assert (shared.workspace / "sub/made by me.py").read_text() == "print('é')\n\n%done\n"
    shared.run("%%writefile -a 'sub/made by me.py'\nmore")
    assert (shared.workspace / "sub/made by me.py").read_text().endswith("%done\nmore")
    assert shared.run("%%writefile\nx").ended == "error"


@pytest.mark.parametrize(
    "code", ["!pip install polars", "%pip install -q polars==1.0", "!python -m pip install polars"]
)
def test_install_names_what_is_there(shared: Guest, code: str) -> None:
    done = shared.run(f"{code}\n1")
    assert done.ended == "ok" and "no network" in done.stdout and "pandas" in done.stdout and "polars" in done.stdout
    assert done.stdout.count("\n") == 1


def test_installing_what_is_there_says_so(shared: Guest) -> None:
    assert shared.run("!pip install pandas").stdout.startswith("Already installed: pandas 3.")


def test_shell_lines_run(shared: Guest) -> None:
    done = shared.run("!echo 'it is' $((1+1)); echo bad >&2; exit 3")
    assert (done.stdout, done.stderr) == ("it is 2\n", "bad\n[exit code 3]\n")
    assert shared.run("names = !printf 'a\\nb'\nnames").text == "['a', 'b']"
    assert shared.run("if True:\n    !echo inside").stdout == "inside\n"
    assert shared.run("%%bash\necho one\necho two").stdout == "one\ntwo\n"
    assert shared.run("!echo it's").stderr != ""


def test_strings_and_continuation_lines_are_left_alone(shared: Guest) -> None:
    assert shared.run("s = '''\n%time\n!ls\n'''\ns").text == repr("\n%time\n!ls\n")
    assert shared.run("a = 7\nb = (a\n% 4)\nb").text == "3"


def test_unknown_magics_name_the_other_way(shared: Guest) -> None:
    for code, words in (("%cd data", "os.chdir"), ("%%sql\nselect 1", "pandas"), ("%nonsense 1", "plain Python")):
        done = shared.run(code)
        assert done.ended == "error" and words in done.message


def test_lines_keep_their_numbers(shared: Guest) -> None:
    done = shared.run("%matplotlib inline\n!true\nx = 1\n1 / 0")
    assert "line 4" in done.traceback and "1 / 0" in done.traceback


def test_input_fails_at_once(shared: Guest) -> None:
    done = shared.run("name = input('Your name? ')")
    assert done.ended == "error" and "Your name?" in done.message and "can't be answered" in done.message


def test_a_syntax_error_beside_a_habit_is_the_users_own(shared: Guest) -> None:
    done = shared.run("%matplotlib inline\nx = = 1")
    assert done.reply["error"]["type"] == "SyntaxError" and "x = = 1" in done.traceback
