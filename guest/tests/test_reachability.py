"""What a cell may have touched is told from its code: rather too much than too little."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from nl2code_guest.checkpoint.reachability import (
    EVERYTHING,
    assignment_in_cell,
    closure,
    has_foreign_threads,
    names_in_cell,
)


def touched(code: str) -> frozenset[str]:
    return names_in_cell(code, "<cell 1>")


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("x = y", "x y"),
        ("del x", "x"),
        ("def f():\n    global x\n    x = 1", "f x"),
        ("def f():\n    def g():\n        return y\n    return g", "f y"),
        ("class A:\n    def m(self):\n        A.n += 1\n        return [z for _ in ()]", "A z"),
        ("g = (a for a in b)\nh = lambda: c", "g b h c"),
        ("import a.b as c\nfrom d import e", "a.b c d e"),
        ("%time x = y", "x y"),
        ("print(f'{x!r}')", "x"),
        ("df.query('a > @limit')\nols('y ~ scale(x)', df)", "df limit scale"),
        ("x.y.z = 1", "x"),
        ("for i in a: pass\nwith b as c: pass\nmatch d:\n    case e: pass", "i a b c d e"),
    ],
)
def test_every_name_that_a_cell_uses_is_seen(code: str, names: str) -> None:
    found = touched(code)
    assert set(names.split()) <= found
    assert EVERYTHING not in found


def test_an_attribute_is_no_name() -> None:
    assert touched("a.b.c(d)") == {"a", "d"}


@pytest.mark.parametrize(
    "code",
    [
        "exec('x = 1')",
        "def f():\n    return globals()",
        "import gc",
        "import __main__ as m",
        "from inspect import currentframe",
        "sys._getframe().f_globals['x'] = 1",
        "f.__globals__['x'] = 1",
        "sys.modules[__name__].x = 1",
        "error.__traceback__.tb_frame",
        "[vars() for _ in range(1)]",
    ],
)
def test_code_that_gets_at_variables_without_their_names_may_touch_all(code: str) -> None:
    assert EVERYTHING in touched(code)


def test_more_than_256_names_are_told_apart() -> None:
    code = "\n".join(f"a{n} = b{n}" for n in range(400))
    assert touched(code) == {f"{letter}{n}" for letter in "ab" for n in range(400)}
    inside = "def f():\n" + "\n".join(f"    b{n}()" for n in range(400))
    assert touched(inside) == {"f", *(f"b{n}" for n in range(400))}


def test_a_cell_that_is_no_python_touches_nothing() -> None:
    assert touched("x = = 1") == frozenset()
    assert touched("x = '\0'") == frozenset()


def test_a_name_leads_on_to_what_its_functions_use() -> None:
    reach = {"f": ["g"], "g": ["x", "f"], "x": [], "h": [EVERYTHING], "y": ["h"]}

    def of(name: str) -> Iterable[str]:
        return reach.get(name, ())

    assert closure(["f"], of) == {"f", "g", "x"}
    assert EVERYTHING in closure(["y"], of)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("a = 1\nx = open('f')  # why\nx.read()", "x = open('f')"),
        ("x = 1\nx = 2", "x = 2"),
        ("with open('f') as x:\n    pass", "with open('f') as x:\n    pass"),
        ("def x():\n    yield 1", "def x():\n    yield 1"),
        ("import os.path, json as x", "import os.path, json as x"),
        ("a, (b, *x) = c", "a, (b, *x) = c"),
        ("y = 1", None),
        ("x = = 1", None),
    ],
)
def test_the_statement_that_makes_a_variable_is_found(code: str, shown: str | None) -> None:
    assert assignment_in_cell(code, "<cell 1>", "x") == shown


def test_a_thread_beside_the_cells_is_seen() -> None:
    assert not has_foreign_threads()
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    assert has_foreign_threads()
    end.set()
    thread.join()
    assert not has_foreign_threads()
