"""Variables come back as what they were, with everything shared that was shared, bound to where they come."""

from __future__ import annotations

from typing import Any

import pytest

from nl2code_guest.checkpoint.covariables import covariables
from nl2code_guest.checkpoint.pickler import Pickled, Refused, Unloadable, dump, load


def cells(code: str) -> dict[str, Any]:
    """A namespace in which `code` has run."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(code, namespace)
    return namespace


def dumped(namespace: dict[str, Any], *names: str) -> Pickled:
    """These variables, pickled together."""
    return dump({name: namespace[name] for name in names}, namespace)


def restored(namespace: dict[str, Any], *groups: tuple[str, ...]) -> dict[str, Any]:
    """Another namespace, with these groups loaded into it; a group is loaded when another one needs it."""
    streams = {group: bytes(dumped(namespace, *group).stream) for group in groups}
    fresh: dict[str, Any] = {"__name__": "__main__"}

    def resolve(name: str) -> object:
        if name not in fresh:
            group = next(group for group in groups if name in group)
            fresh.update(load(streams[group], [], fresh, resolve))
        return fresh[name]

    for group in groups:
        resolve(group[0])
    return fresh


def test_shared_objects_stay_shared_within_one_dump() -> None:
    there = restored(cells("a = [1]; b = {'x': a}; b['self'] = b"), ("a", "b"))
    assert there["b"]["x"] is there["a"]
    assert there["b"]["self"] is there["b"]


def test_variables_that_share_something_mutable_reach_the_same_id() -> None:
    namespace = cells("a = [1]; b = {'x': a}; c = ['text', 3, len]; d = ('text', 3, len)")
    pickled = {name: dumped(namespace, name) for name in "abcd"}
    assert pickled["a"].reached & pickled["b"].reached
    assert not pickled["c"].reached & pickled["d"].reached


def test_a_function_sees_the_namespace_it_is_loaded_into() -> None:
    there = restored(cells("data = list(range(1000))\ndef total(): return sum(data)"), ("total",), ("data",))
    assert there["total"]() == sum(range(1000))
    there["data"] = [1]
    assert there["total"]() == 1


def test_a_function_does_not_carry_the_globals_it_mentions() -> None:
    pickled = dumped(cells("data = 'x' * 1_000_000\ndef size(): return len(data)"), "size")
    assert pickled.stream.nbytes < 2_000
    assert {"data", "len"} <= pickled.mentions


def test_the_mentions_of_nested_code_are_the_function_s() -> None:
    pickled = dumped(cells("def f():\n  class A:\n    x = limit\n  return lambda: depth"), "f")
    assert {"limit", "depth"} <= pickled.mentions


def test_a_top_level_function_is_saved_once_and_named_elsewhere() -> None:
    namespace = cells("def f(): return 1\npair = [f, f]")
    assert dumped(namespace, "pair").needs == {"f"}
    assert dumped(namespace, "f").needs == set()
    there = restored(namespace, ("pair",), ("f",))
    assert there["pair"][0] is there["pair"][1] is there["f"]


def test_a_function_whose_name_stands_for_something_else_now_is_saved_by_value() -> None:
    namespace = cells("def f(): return 1\nold = f\ndef f(): return 2")
    assert dumped(namespace, "old").needs == set()
    assert restored(namespace, ("old",))["old"]() == 1


def test_closures_that_share_a_variable_still_do() -> None:
    code = """
def counter():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    return up, lambda: n
up, now = counter()
up()
"""
    namespace = cells(code)
    assert dumped(namespace, "up").reached & dumped(namespace, "now").reached
    there = restored(namespace, ("up", "now"))
    assert there["up"]() == 2
    assert there["now"]() == 2


def test_a_local_function_that_calls_itself_comes_back() -> None:
    code = "def outer():\n  def fact(n): return 1 if n < 2 else n * fact(n - 1)\n  return fact\nfact = outer()"
    assert restored(cells(code), ("fact",))["fact"](5) == 120


def test_instances_keep_the_identity_of_their_class() -> None:
    namespace = cells("class A:\n  seen = []\n  class Part: pass\na = A(); part = A.Part(); m = a.__init__")
    assert dumped(namespace, "a").needs == {"A"}
    there = restored(namespace, ("a",), ("part",), ("A",))
    assert type(there["a"]) is there["A"]
    assert type(there["part"]) is there["A"].Part


def test_no_hook_of_a_class_runs_a_second_time() -> None:
    code = """
class Base:
    known = []
    def __init_subclass__(cls, *, tag):
        Base.known.append(tag)
class Sub(Base, tag="sub"): pass
class Meta(type):
    made = []
    def __new__(meta, name, bases, body, *, option):
        Meta.made.append(option)
        return super().__new__(meta, name, bases, body)
    def __init__(cls, *given, **options): super().__init__(*given)
class Made(metaclass=Meta, option=7): pass
"""
    there = restored(cells(code), ("Base", "Sub"), ("Made",), ("Meta",))
    assert there["Base"].known == ["sub"]
    assert there["Meta"].made == [7]
    assert type(there["Made"]) is there["Meta"]
    exec("class Other(Base, tag='other'): pass", there)
    assert there["Base"].known == ["sub", "other"]


def test_slots_stay_slots() -> None:
    there = restored(
        cells("class P:\n  __slots__ = ('x', '__y')\n  def __init__(self): self.x = self.__y = 1\np = P()"), ("p", "P")
    )
    assert there["p"]._P__y == 1
    with pytest.raises(AttributeError):
        there["p"].z = 1


def test_an_enum_keeps_aliases_and_what_its_constructor_set() -> None:
    code = """
import enum
class Planet(enum.Enum):
    EARTH = (5.9, 6.3)
    HOME = (5.9, 6.3)
    def __init__(self, mass, radius): self.mass = mass
    def heavy(self): return self.mass > 1
here = Planet.EARTH
class Mode(enum.Flag):
    R = enum.auto()
    W = enum.auto()
both = Mode.R | Mode.W
"""
    there = restored(cells(code), ("here",), ("both",), ("Planet",), ("Mode",))
    assert there["here"] is there["Planet"].HOME
    assert there["here"].heavy()
    assert there["Mode"].R in there["both"]


def test_a_dataclass_can_be_derived_from_afterwards() -> None:
    code = """
import dataclasses
@dataclasses.dataclass
class D:
    a: int
    b: list = dataclasses.field(default_factory=list)
"""
    there = restored(cells(code), ("D",))
    exec("import dataclasses\n@dataclasses.dataclass\nclass E(D):\n  c: int = 3", there)
    assert there["E"](1) == there["E"](1, [], 3)
    with pytest.raises(TypeError):
        there["E"]()


def test_the_namespace_itself_is_named_and_not_copied() -> None:
    there = restored(cells("everything = globals(); x = 1"), ("everything",))
    assert there["everything"] is there


@pytest.mark.parametrize(
    "body",
    [
        "def __reduce__(self): raise ValueError('no')",
        "def __reduce__(self): raise SystemExit(3)",
        "def __reduce__(self): raise KeyboardInterrupt",
        "def __reduce__(self): return 42",
        "def __reduce__(self): return (1, 2, 3)",
        "def __reduce__(self): return self.__reduce__()",
        "def __getstate__(self): raise BaseException",
        "def __getstate__(self): return (i for i in ())",
        "def __reduce_ex__(self, p): return eval, ('1',), None, 5",
    ],
)
def test_whatever_user_code_does_while_it_is_pickled_refuses_its_variable(body: str) -> None:
    namespace = cells(f"class Bad:\n  {body}\nbad = Bad(); good = [1]")
    with pytest.raises(Refused) as refused:
        dumped(namespace, "bad")
    assert refused.value.kind in ("unpicklable", "too-deep", "generator")
    assert refused.value.message.endswith(".")
    assert dumped(namespace, "good").stream.nbytes


def test_whatever_user_code_does_while_it_is_loaded_is_one_error() -> None:
    namespace = cells(
        "class Bad:\n  x = 1\n  def __setstate__(self, state): raise SystemExit(1)\nbad = Bad(); bad.y = 1"
    )
    stream = dumped(namespace, "bad").stream
    with pytest.raises(Unloadable, match="SystemExit"):
        load(stream, [], {}, namespace.__getitem__)


def test_names_that_share_or_need_each_other_are_one_variable() -> None:
    groups = covariables(
        {"a": {1}, "b": {1, 2}, "c": {3}, "d": set(), "e": set(), "f": set(), "g": {2}},
        {"c": {"d"}, "d": {"e"}, "e": {"c", "unknown"}, "f": {"c"}},
    )
    assert sorted(map(sorted, groups)) == [["a", "b", "g"], ["c", "d", "e"], ["f"]]


def test_circles_through_shared_objects_are_one_variable() -> None:
    groups = covariables({"a": {1}, "b": {1}, "c": set()}, {"a": {"c"}, "c": {"b"}})
    assert sorted(map(sorted, groups)) == [["a", "b", "c"]]


def test_what_has_not_changed_is_pickled_to_the_same_bytes() -> None:
    namespace = cells(
        "class A:\n  seen = []\n  def __init__(self): A.seen.append(self)\na = A()\n"
        "d = {'x': [a, {1, 'b'}], 'f': len}\ndef f(x=[1]): return lambda: x"
    )
    for name in ("A", "a", "d", "f"):
        assert dumped(namespace, name).stream == dumped(namespace, name).stream


def test_the_modules_that_loading_needs_are_named() -> None:
    namespace = cells("import decimal, xml.dom.minidom\nx = decimal.Decimal(1)\ndef f(): return xml.dom.minidom")
    assert dumped(namespace, "x").modules == {"decimal"}
    assert {"xml", "xml.dom", "xml.dom.minidom"} <= dumped(namespace, "f").modules
    namespace = cells("class A: pass\na = A()")
    assert dumped(namespace, "a").modules == set()


def test_a_refusal_names_what_can_t_be_saved_and_what_to_do() -> None:
    namespace = cells("class Kept:\n  def __init__(self): self.rows = (i for i in ())\nx = {'k': [Kept()]}")
    with pytest.raises(Refused) as refused:
        dumped(namespace, "x")
    assert refused.value.kind == "generator"
    assert refused.value.message == (
        "A generator can't be saved; keep a list of what it yields, or make it in the cell that uses it."
    )


def test_an_error_of_a_hostile_class_is_told_whatever_it_does() -> None:
    code = """
class Meta(type):
    @property
    def __name__(cls): raise ValueError
    @property
    def __module__(cls): raise ValueError
class Silent(Exception, metaclass=Meta):
    def __str__(self): raise SystemExit
class Bad:
    def __reduce__(self): raise Silent
x = Bad()
"""
    with pytest.raises(Refused) as refused:
        dumped(cells(code), "x")
    assert "(Silent: (no message))" in refused.value.message
