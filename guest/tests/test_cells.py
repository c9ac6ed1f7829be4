"""One namespace, cell after cell."""

from __future__ import annotations

from harness import Guest


def test_variables_and_imports_stay_between_cells(shared: Guest) -> None:
    shared.run("import math\nradius = 2")
    assert shared.run("round(math.pi * radius)").text == "6"


def test_the_last_expression_is_echoed_and_statements_are_not(shared: Guest) -> None:
    assert shared.run("x = 1\nx + 1").text == "2"
    assert shared.run("x = 1").reply["result"] is None
    assert shared.run("None").reply["result"] is None
    assert shared.run("'text'").text == "'text'"


def test_a_semicolon_mutes_the_echo(shared: Guest) -> None:
    assert shared.run("5;").reply["result"] is None
    assert shared.run("'é';  # why").reply["result"] is None
    assert shared.run("5  # no; echo").text == "5"


def test_an_empty_cell_and_a_comment_are_cells(shared: Guest) -> None:
    for code in ("", "\n\n", "# nothing"):
        done = shared.run(code)
        assert (done.ended, done.reply["result"], done.stdout) == ("ok", None, "")


def test_only_the_first_cell_of_a_later_kernel_is_fresh(guest: Guest) -> None:
    assert [guest.run("1").restored for _ in range(2)] == [None, None]


def test_the_working_directory_is_the_workspace_and_its_modules_import(shared: Guest) -> None:
    assert shared.run("import os; os.getcwd()").text == repr(str(shared.workspace))
    shared.run("open('mine_own.py', 'w').write('value = 41')")
    assert shared.run("import mine_own; mine_own.value + 1").text == "42"


def test_a_workspace_file_never_hides_a_library(shared: Guest) -> None:
    shared.run("open('statistics.py', 'w').write('mean = None')")
    assert shared.run("import statistics; statistics.mean([1, 3])").text == "2"


def test_names_of_the_guest_do_not_leak_into_the_namespace(guest: Guest) -> None:
    assert guest.run("sorted(name for name in globals() if not name.startswith('__'))").text == "[]"


def test_pickle_finds_a_class_of_a_cell(shared: Guest) -> None:
    shared.run("import pickle\nclass Point:\n    def __init__(self, x): self.x = x")
    assert shared.run("pickle.loads(pickle.dumps(Point(3))).x").text == "3"


def test_the_source_of_a_function_of_a_cell_is_known(shared: Guest) -> None:
    shared.run("def twice(x):\n    return 2 * x  # doubled")
    assert "# doubled" in shared.run("import inspect; print(inspect.getsource(twice))").stdout


def test_a_spawned_process_does_not_run_the_guest_again(shared: Guest) -> None:
    shared.run("%%writefile doubling.py\ndef double(x):\n    return 2 * x")
    code = (
        "import multiprocessing, doubling\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool:\n    print(pool.map(doubling.double, [1, 2]))"
    )
    done = shared.run(code)
    assert (done.ended, done.stdout, done.stderr) == ("ok", "[2, 4]\n", "")


def test_a_forked_child_that_runs_to_the_end_of_the_cell_is_not_a_second_kernel(guest: Guest) -> None:
    done = guest.run("import os\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\nprint('parent' if pid else 'child')")
    assert sorted(done.stdout.split()) == ["child", "parent"]
    assert guest.run("import os, sys\nif os.fork() == 0:\n    sys.exit(0)\nos.wait()[1]").text == "0"
    assert guest.run("1 + 1").text == "2"


def test_a_forked_child_does_not_hold_the_kernels_socket(shared: Guest) -> None:
    code = (
        "import os\nif os.fork() == 0:\n    links = [os.readlink(f'/proc/self/fd/{fd}') for fd in range(20)"
        " if os.path.lexists(f'/proc/self/fd/{fd}')]\n    print([link for link in links if 'socket' in link])\n"
        "    os._exit(0)\nos.wait();"
    )
    done = shared.run(code)
    assert done.stdout == "[]\n"


def test_a_forked_pool_works_on_a_function_of_a_cell(shared: Guest) -> None:
    shared.run("def triple(x):\n    return 3 * x")
    code = "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p:\n    r = p.map(triple, [1, 2])\nr"
    assert shared.run(code).text == "[3, 6]"


def test_hash_order_follows_the_seed_of_the_session(shared: Guest) -> None:
    assert shared.run("import os; os.environ['PYTHONHASHSEED']").text == "'1'"
    assert (
        shared.run("hash('a')").text
        == shared.run(
            "import subprocess, sys\nint(subprocess.check_output([sys.executable, '-c', 'print(hash(\"a\"))']))"
        ).text
    )
