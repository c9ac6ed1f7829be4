"""After every cell exactly what it changed is saved, and another process goes on from it as if nothing had been."""

from __future__ import annotations

import pytest
from saved_session import Begin, SavedSession

from nl2code_guest.checkpoint.manifests import read_manifest

CHANGES = {
    "an alias": ("a = [1]\nb = a", "b.append(2)", "(a, a is b)"),
    "a closure": (
        "def make():\n    seen = []\n    def add(x):\n        seen.append(x)\n        return seen\n"
        "    return add\nadd = make()",
        "add(5)",
        "add(6)",
    ),
    "a method of an instance": (
        "class A:\n    def __init__(self):\n        self.n = []\n    def hit(self):\n        self.n.append(1)\no = A()",
        "o.hit()",
        "o.n",
    ),
    "a function in a container": ("x = []\ndef f():\n    x.append(1)\nfs = {'f': f}", "fs['f']()", "x"),
    "a number that stands where the old one stood": ("y = 3.25\nx = y * 2", "x = x + 1.0\nx = x + 1.0", "x"),
    "a number that a loop adds to": ("x = 10 ** 6", "for n in range(9):\n    x += 1", "(n, x)"),
    "a number that was gone between": ("y = 3.25\nx = y * 2", "del x\nx = y * 4", "x"),
    "text that stands where the old one stood": (
        "x = 'abc' * 50",
        "x = x.upper()\nx = x.lower() + '!'\nx = x[:-1] + '?'",
        "x",
    ),
    "a number that a function adds to twice": (
        "x = 1.5\ndef f():\n    global x\n    x = x + 1.0\n    x = x + 1.0",
        "f()",
        "x",
    ),
    "a handler of logging": (
        "import logging\nseen = []\nclass Kept(logging.Handler):\n    def emit(self, record):\n"
        "        seen.append(record.getMessage())\nlogging.getLogger('a').addHandler(Kept())",
        "logging.getLogger('a').warning('x')",
        "seen",
    ),
    "what is called at an object's end": (
        "import weakref\nclass A:\n    pass\na = A()\nseen = []\nweakref.finalize(a, seen.append, 3).atexit",
        "del a",
        "seen",
    ),
    "the module of cells by its name": (
        "import importlib\nx = []",
        "importlib.import_module('__main__').x.append(1)",
        "x",
    ),
    "the import of the module of cells": ("x = []", "__import__('__main__').x.append(1)", "x"),
    "a global statement": ("x = 1\ndef f():\n    global x\n    x += 1", "f()", "x"),
    "a class's attribute through an instance": (
        "class A:\n    n = 0\n    def hit(self):\n        A.n += 1\no = A()",
        "o.hit()",
        "(A.n, o.n, type(o) is A)",
    ),
    "a list that two variables share": (
        "shared = [0]\na = {'s': shared}\nb = (shared,)\ndel shared",
        "a['s'].append(1)",
        "(a, b, a['s'] is b[0])",
    ),
    "a chain of functions": (
        "x = {}\ndef f():\n    g()\ndef g():\n    h()\ndef h():\n    x[len(x)] = 1",
        "f()",
        "x",
    ),
    "a decorated function": (
        "import functools\nlog = []\ndef logged(f):\n    @functools.wraps(f)\n    def inner(*a):\n"
        "        log.append(a)\n"
        "        return f(*a)\n    return inner\n@logged\ndef add(a, b):\n    return a + b",
        "add(1, 2)",
        "(log, add(3, 4), log)",
    ),
    "an exec": ("x = []", "exec('x.append(1)')", "x"),
    "globals()": ("x = []", "globals()['x'].append(1)", "x"),
    "a default argument": ("def f(x, seen=[]):\n    seen.append(x)\n    return seen", "f(1)", "f(2)"),
    "a function's attribute": ("def f():\n    f.n += 1\n    return f.n\nf.n = 0", "f()", "f()"),
    "a property": (
        "class A:\n    v = 0\n    @property\n    def p(self):\n        self.__dict__['v'] = self.v + 1\no = A()",
        "o.p",
        "o.v",
    ),
    "an item of a numpy array through a view": (
        "import numpy as np\na = np.zeros(4)\nv = a[1:3]",
        "v[0] = 7",
        "(a.tolist(), v.tolist(), np.shares_memory(a, v))",
    ),
    "frame objects in a function's code": (
        "import sys\nx = []\ndef f():\n    sys._getframe().f_globals['x'].append(1)",
        "f()",
        "x",
    ),
    "a column of a frame": (
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\nother = df",
        "other['b'] = 3",
        "(df.to_dict(), df is other)",
    ),
    "a formula": (
        "import pandas as pd\nlimit = [1]\nclass L:\n    def __call__(self, x):\n        limit.append(1)\n"
        "        return x > 1\nabove = L()\n"
        "df = pd.DataFrame({'a': [1, 2]})",
        "df.query('@above(a)')",
        "limit",
    ),
    "a __del__": (
        "gone = []\nclass A:\n    def __del__(self):\n        gone.append(1)\no = A()",
        "o = None",
        "gone",
    ),
    "an iterator": ("it = iter([1, 2, 3])", "next(it)", "next(it)"),
    "a thread": (
        "import threading, time\nx = []\ndef work():\n    time.sleep(0.3)\n    x.append(1)\n"
        "threading.Thread(target=work).start()",
        "time.sleep(0.6)",
        "x",
    ),
}


@pytest.mark.parametrize(("before", "change", "show"), CHANGES.values(), ids=CHANGES.keys())
def test_what_a_cell_changes_in_place_is_saved(session: SavedSession, before: str, change: str, show: str) -> None:
    session.run(before).run("other = 1").run(change)
    assert session.outcome == "inline"
    session.again()
    restored = session.show(show)
    # The same without an end between.
    twin = SavedSession(session.workspace.parent / "twin").start()
    twin.run(before).run("other = 1").run(change)
    assert restored == twin.show(show)
    twin.close()


def test_a_variable_that_a_cell_does_not_touch_is_not_pickled_again(session: SavedSession) -> None:
    session.run("a = [1]; b = [2]; c = {'a': a}\ndef f(): return b")
    session.pickled()
    session.run("d = 4")
    assert session.pickled() == {"d": 1}
    session.run("f()")
    assert session.pickled() == {"b": 1, "f": 1}
    session.run("a[0]")
    # Found alone, then saved with what shares its list.
    assert session.pickled() == {"a": 2, "c": 2}
    session.run("d")
    # A number costs nothing, and another one may stand in its place.
    assert session.pickled() == {"d": 1}
    assert session.states[-1]["components"] == []


def test_only_what_is_new_is_in_a_state(session: SavedSession) -> None:
    session.run("a = [1]; b = [2]").run("a.append(2)").run("a")
    changed = [[part["names"] for part in state["components"]] for state in session.states]
    assert changed == [[["a"], ["b"]], [["a"]], []]
    assert session.states[1]["dropped"] == [session.states[0]["components"][0]["id"]]


def test_what_needs_a_definition_is_saved_anew_when_its_name_means_another_one(session: SavedSession) -> None:
    session.run("class A:\n    def hi(self): return 'old'\no = A()\ndef f(): return 1\nd = {'f': f}")
    session.run("class A:\n    def hi(self): return 'new'\ndef f(): return 2")
    assert sorted(name for part in session.states[-1]["components"] for name in part["names"]) == ["A", "d", "f", "o"]
    session.again()
    assert session.show("(o.hi(), A().hi(), d['f'](), f(), type(o) is A)") == "('old', 'new', 1, 2, False)"
    session.run("del A, f").again()
    assert session.show("(o.hi(), d['f']())") == "('old', 1)"


def test_deleted_names_stay_deleted(session: SavedSession) -> None:
    session.run("a = 1; b = [1]; c = b; import os").run("del a, b, os").again()
    assert session.digest().keys() >= {"c"}
    assert not session.digest().keys() & {"a", "b", "os"}
    assert session.show("c") == "[1]"


def test_two_names_of_a_module_and_a_renamed_one_come_back(session: SavedSession) -> None:
    session.run("import os.path as p, json\nj = json").again()
    assert session.show("(p.join('a', 'b'), j is json)") == "('a/b', True)"


def test_every_twentieth_save_finds_what_went_unseen(session: SavedSession) -> None:
    # A library that keeps a reference of its own is not seen through.
    session.run("import sys\na, b = [], {'x': 1}\nsys.hidden = a").run("sys.hidden.append(5)")
    session.pickled()
    for number in range(2, 19):
        session.run(f"n = {number}")
    assert session.pickled() == {"n": 17}
    session.run("n = 19")
    assert session.pickled() == {"a": 1, "b": 1, "n": 1}
    session.again()
    assert session.show("a") == "[5]"


@pytest.mark.parametrize(
    ("before", "unseen", "show"),
    [
        ("a = [1]\nb = {'a': a}\nsys.hidden = b", "sys.hidden['a'] = [1]", "(b, b['a'] is a)"),
        (
            "a, c = [1], [5]\nb, d = {'a': a, 'n': [5]}, {'c': c}\nsys.hidden = b, c",
            "sys.hidden[0]['n'] = sys.hidden[1]",
            "(b, b['a'] is a, b['n'] is c, d['c'] is c)",
        ),
        ("a = [1]\nb = {'a': a}\nsys.hidden = a", "sys.hidden.append(2)", "(b, b['a'] is a)"),
        (
            "def f(): return g, seen\ndef g(): return f\nseen = []\nsys.hidden = seen",
            "sys.hidden.append(2)",
            "(f()[1], f()[1] is seen, f()[0] is g, g() is f)",
        ),
    ],
    ids=["what hangs together no more", "what hangs together anew", "a change", "beside a circle"],
)
def test_the_twentieth_save_finds_what_changed_unseen_in_and_between_components(
    session: SavedSession, before: str, unseen: str, show: str
) -> None:
    session.run(f"import sys\n{before}").run(unseen)
    for number in range(18):
        session.run(f"n = {number}")
    expected = session.show(show)
    assert session.again().show(show) == expected


def test_what_hangs_together_no_more_is_saved_apart(session: SavedSession) -> None:
    session.run("import sys\na = [1]\nb = {'a': a}\nsys.hidden = b").run("sys.hidden['a'] = [1]")
    for number in range(18):
        session.run(f"n = {number}")
    assert sorted(part["names"] for part in session.states[-1]["components"]) == [["a"], ["b"], ["n"]]


def test_a_look_at_everything_pickles_an_unchanged_component_once(session: SavedSession) -> None:
    session.run("a = [1]\nb, c = {'a': a}, {'a': a}\nd = [2]")
    for number in range(18):
        session.run(f"n = {number}")
    session.pickled()
    session.run("n = 19")
    assert session.pickled() == {"a": 1, "b": 1, "c": 1, "d": 1, "n": 1}
    assert [part["names"] for part in session.states[-1]["components"]] == [["n"]]


def test_a_chain_of_120_saves_restores_to_any_cell(begin: Begin) -> None:
    session = begin()
    seen: list[str] = []
    for k in range(120):
        session.run(
            f"x{k % 7} = [{k}]; y = x{k % 7} * 2" if k % 3 else f"z = {{'k': {k}}}\nopen('f{k % 5}', 'w').write('{k}')"
        )
        if k in (0, 1, 48, 49, 50, 51, 98, 99, 100, 101, 119):
            seen.append(str(k))
    assert [state["full"] for state in session.states].count(True) == 3
    sizes = [len(str(state)) for state in session.states if not state["full"]]
    assert max(sizes) < 4_000
    twin = begin("twin")
    for k in range(120):
        twin.run(
            f"x{k % 7} = [{k}]; y = x{k % 7} * 2" if k % 3 else f"z = {{'k': {k}}}\nopen('f{k % 5}', 'w').write('{k}')"
        )
        if str(k) in seen:
            session.kill()
            session.start(restore=False)
            session._ask(do="restore", head=k, atStart=None, exact=True)
            mine, its = session.digest(), twin.digest()
            for found in (mine, its):
                found.pop("cwd"), found.pop("random")
            assert mine == its, k


def test_full_states_stay_a_share_of_all_that_is_written(session: SavedSession) -> None:
    session.run("globals().update({f'v{n}': [n] for n in range(1000)})")
    session.settle()
    for k in range(130):
        session.run(f"n = {k}")
        if session.outcome == "forked":
            session.settle()
        if k == 60:
            # A restored kernel goes on counting.
            session.again()
    sizes = [len(read_manifest(str(session.checkpoint / "manifests"), k).state) for k in range(131)]
    full = [state["full"] for state in session.states]
    begun = 0
    for k in range(1, 131):
        since = sizes[begun + 1 : k]
        assert full[k] == (len(since) >= 49 and 4 * sum(since) >= sizes[begun]), k
        begun = k if full[k] else begun
    assert full[:70].count(True) == 1 and full.count(True) == 2


def test_the_cost_of_a_cell_stays_flat_with_a_thousand_variables(session: SavedSession) -> None:
    session.run("a = 1")
    session.run("\n".join(f"v{n} = [{n}]" for n in range(1000)))
    if session.outcome == "forked":
        session.settle()
    session.pickled()
    session.run("a += 1").run("v7.append(1)")
    assert session.pickled() == {"a": 1, "v7": 1}
    assert len(str(session.states[-1])) < 2_000
