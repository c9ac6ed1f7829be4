"""The sandbox's half of bridged tools: what is asked, what is refused before that, and what an answer becomes."""

from __future__ import annotations

import datetime
import decimal
import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nl2code_guest import bridge, program_bridge
from nl2code_guest.bridge import ToolCall, ToolResult

IMPORTABLE = Path(bridge.__file__).parent / "importable"
PLACES = os.pathsep.join([str(IMPORTABLE.parent.parent), str(IMPORTABLE)])


class Host:
    """Answers as the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[ToolCall] = []
        self.answer: Callable[[ToolCall], ToolResult] = lambda call: ToolResult(True, call.args)

    def __call__(self, call: ToolCall) -> ToolResult:
        self.asked.append(call)
        return self.answer(call)


@pytest.fixture
def host() -> Iterator[Host]:
    """A host that echoes, and cell 7 around the test."""
    host = Host()
    bridge.install(host)
    bridge.begin(7)
    yield host
    bridge.end()


@pytest.fixture
def nl2code(host: Host, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module as a cell imports it."""
    monkeypatch.syspath_prepend(str(IMPORTABLE))
    return importlib.import_module("nl2code")


def test_a_tool_is_called_by_its_name_with_arguments_by_name(host: Host, nl2code: Any) -> None:
    assert nl2code.tools.append(text="a", times=2) == {"text": "a", "times": 2}
    assert nl2code.tools.call("append", name="n", self=None) == {"name": "n", "self": None}
    assert nl2code.tools.list() == {}
    assert [(call.name, call.args) for call in host.asked] == [
        ("append", {"text": "a", "times": 2}),
        ("append", {"name": "n", "self": None}),
        ("list", {}),
    ]


def test_calls_are_counted_in_each_cell_from_0(host: Host, nl2code: Any) -> None:
    nl2code.tools.a()
    nl2code.tools.b()
    assert bridge.end() == 2
    bridge.begin(8, replay=True)
    nl2code.tools.c()
    assert bridge.end() == 1
    assert [call[:3] for call in host.asked] == [(7, 0, "a"), (7, 1, "b"), (8, 0, "c")]
    assert [call.replay for call in host.asked] == [False, False, True]


def test_a_call_that_is_refused_here_takes_no_number(host: Host, nl2code: Any) -> None:
    with pytest.raises(TypeError):
        nl2code.tools.a(x=object())
    nl2code.tools.a(x=1)
    assert [call.call for call in host.asked] == [0]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (object(), r"Argument x is a object, which is no JSON: give texts, numbers"),
        (float("nan"), r"Argument x is nan, which is no JSON: give None or a number\."),
        (float("-inf"), r"Argument x is -inf"),
        (np.float64("nan"), r"Argument x is nan"),
        (np.int64(3), r"Argument x is a numpy\.int64, which is no JSON: give its \.item\(\)\."),
        (np.bool_(True), r"Argument x is a numpy\.bool.*give its \.item\(\)\."),
        (np.arange(3), r"Argument x is a numpy\.ndarray, which is no JSON: give its \.tolist\(\)\."),
        (datetime.date(2024, 1, 1), r"Argument x is a datetime\.date, which is no JSON: give its \.isoformat\(\)\."),
        (decimal.Decimal(1), r"Argument x is a decimal\.Decimal, which is no JSON: give str\(\) or float\(\) of it\."),
        ({1, 2}, r"Argument x is a set, which is no JSON: give sorted\(\) of it\."),
        (b"a", r"Argument x is a bytes"),
        ([1, {"when": [b"a"]}], r"Argument x\[1\]\['when'\]\[0\] is a bytes"),
        ({3: "a"}, r"Argument x has the key 3, a int; the keys of JSON are texts\."),
        (2**53, r"Argument x is a whole number beyond 2\*\*53"),
        ("\ud800", r"Argument x holds half a character"),
        ({"\ud800": 1}, r"Argument x holds half a character"),
    ],
)
def test_an_argument_that_is_no_json_is_refused_by_its_name(host: Host, nl2code: Any, value: object, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        nl2code.tools.append(x=value)
    assert host.asked == []


def test_plain_types_stand_in_for_their_subclasses(host: Host, nl2code: Any) -> None:
    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "other"

    nl2code.tools.append(a=np.float64(1.5), b=(1, True, None), c=Name("kept"), d=np.str_("text"))
    args = host.asked[0].args
    assert args == {"a": 1.5, "b": [1, True, None], "c": "kept", "d": "text"}
    assert [type(value) for value in args.values()] == [float, list, str, str]
    assert [type(value) for value in args["b"]] == [int, bool, type(None)]


def test_arguments_are_bounded_in_size_and_depth(host: Host, nl2code: Any) -> None:
    nl2code.tools.append(text="é" * ((1 << 19) - 8))
    with pytest.raises(TypeError, match=r"have 1,048,581 bytes as JSON, more than 1,048,576; the largest is text"):
        nl2code.tools.append(n=1, text="x" * ((1 << 20) - 12))
    deep: Any = 1
    for _ in range(31):
        deep = [deep]
    nl2code.tools.append(x=deep)
    with pytest.raises(TypeError, match=r"nested deeper than 32"):
        nl2code.tools.append(x=[deep, deep, [deep]])
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match=r"nested deeper than 32"):
        nl2code.tools.append(x=endless)


def test_arguments_without_a_name_are_refused_with_the_way(host: Host, nl2code: Any) -> None:
    with pytest.raises(TypeError, match=r"append takes its arguments by name, such as append\(key=value\)"):
        nl2code.tools.append("a")
    with pytest.raises(TypeError, match="The name of a tool is a text, not a int"):
        nl2code.tools.call(3)


@pytest.mark.parametrize("kind", ["ToolError", "NonDeterministicReplay", "Uncertain"])
def test_an_error_of_the_host_is_raised_under_its_name(host: Host, nl2code: Any, kind: str) -> None:
    host.answer = lambda call: ToolResult(False, None, kind, "What happened, and what to do.")
    with pytest.raises(getattr(nl2code, kind)) as caught:
        nl2code.tools.append()
    assert str(caught.value) == "What happened, and what to do."
    assert f"{type(caught.value).__module__}.{type(caught.value).__name__}" == f"nl2code.{kind}"
    others = {"ToolError", "NonDeterministicReplay", "Uncertain"} - {kind}
    assert not isinstance(caught.value, tuple(getattr(nl2code, other) for other in others))


def test_an_error_of_an_unknown_kind_is_a_tool_error(host: Host, nl2code: Any) -> None:
    host.answer = lambda call: ToolResult(False, None, "ToolUnavailable", "Not here.")
    with pytest.raises(nl2code.ToolError, match=r"Not here\."):
        nl2code.tools.append()


def test_a_tool_can_be_kept_in_a_variable_and_saved(host: Host, nl2code: Any) -> None:
    append = nl2code.tools.append
    assert pickle.loads(pickle.dumps(append)) == append
    assert pickle.loads(pickle.dumps(append))(x=1) == {"x": 1}
    error = nl2code.Uncertain("why")
    assert pickle.loads(pickle.dumps(error)).args == ("why",)


def test_every_name_that_a_tool_may_have_is_a_tool(nl2code: Any) -> None:
    own = {name for name in vars(nl2code.tools) if name[0].islower()}
    assert own == {"call", "list"}
    for name in ("__wrapped__", "_private"):
        with pytest.raises(AttributeError):
            getattr(nl2code.tools, name)


def test_threads_take_turns(host: Host, nl2code: Any) -> None:
    inside = 0
    most = 0

    def slowly(call: ToolCall) -> ToolResult:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        done.wait(0.002)
        inside -= 1
        return ToolResult(True, call.call)

    done = threading.Event()
    host.answer = slowly
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(nl2code.tools.append())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert sorted(answers) == list(range(16)) == [call.call for call in host.asked]


def test_a_thread_that_outlives_its_cell_neither_calls_nor_holds_up_the_next_one(host: Host, nl2code: Any) -> None:
    asked, let_go = threading.Event(), threading.Event()
    said: list[str] = []

    def held(call: ToolCall) -> ToolResult:
        asked.set()
        let_go.wait()
        return ToolResult(True, None)

    def late() -> None:
        try:
            nl2code.tools.append()
        except RuntimeError as error:
            said.append(str(error))

    host.answer = held
    first = threading.Thread(target=nl2code.tools.append)
    first.start()
    asked.wait()
    second = threading.Thread(target=late)
    second.start()
    bridge.end()
    bridge.begin(8)
    host.answer = lambda call: ToolResult(True, call.k)
    assert nl2code.tools.append() == 8
    let_go.set()
    first.join()
    second.join()
    assert "a thread can call a tool only as long as its cell runs" in said[0]
    assert [call[:2] for call in host.asked] == [(7, 0), (8, 0)]


def test_between_cells_nothing_is_asked(host: Host, nl2code: Any) -> None:
    bridge.end()
    with pytest.raises(RuntimeError, match="while no cell runs"):
        nl2code.tools.append()
    assert host.asked == []


def test_a_forked_child_may_not_call_and_is_told_so(host: Host, nl2code: Any) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            nl2code.tools.append()
        except RuntimeError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 4096).decode() == bridge.OUTSIDE
    assert host.asked == []


def run_outside(program: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env={"PYTHONPATH": PLACES, **env}, capture_output=True, text=True)


def test_a_script_on_its_own_is_told_in_one_sentence() -> None:
    ended = run_outside("import nl2code\nnl2code.tools.append(text='a')")
    assert ended.stderr.splitlines()[-1] == f"RuntimeError: {bridge.OUTSIDE}"


@pytest.mark.parametrize("value", ["", "99:1", "x:y", f"5:{os.getpid()}0"])
def test_a_process_that_no_cell_waits_for_is_told_the_same(value: str) -> None:
    ended = run_outside("import nl2code\nnl2code.tools.append(text='a')", NL2CODE_BRIDGE=value)
    assert ended.stderr.splitlines()[-1] == f"RuntimeError: {bridge.OUTSIDE}"


def program(text: str, folder: Path) -> int:
    path = folder / "program.py"
    path.write_text(text)
    return program_bridge.run_program([sys.executable, str(path)], {**os.environ, "PYTHONPATH": PLACES})


def test_a_program_that_a_cell_waits_for_calls_in_the_cells_name(host: Host, tmp_path: Path) -> None:
    bridge.call("first", {})
    host.answer = lambda call: ToolResult(call.name == "echo", [call.args], "Uncertain", "Nobody knows.")
    code = """
import nl2code
assert nl2code.tools.echo(a=1) == [{"a": 1}]
assert nl2code.tools.echo(a="é" * 100_000) == [{"a": "é" * 100_000}]
try:
    nl2code.tools.other()
except nl2code.Uncertain as error:
    assert str(error) == "Nobody knows."
else:
    raise AssertionError
try:
    nl2code.tools.echo(a={1})
except TypeError as error:
    assert "give sorted() of it" in str(error)
"""
    assert program(code, tmp_path) == 0
    assert [call[:3] for call in host.asked] == [(7, 0, "first"), (7, 1, "echo"), (7, 2, "echo"), (7, 3, "other")]


def test_a_program_that_breaks_the_wire_ends_alone(host: Host, tmp_path: Path) -> None:
    code = """
import os, socket
fd = int(os.environ["NL2CODE_BRIDGE"].partition(":")[0])
sock = socket.socket(fileno=fd)
sock.sendall(b"not a frame at all")
assert sock.recv(10) == b""
raise SystemExit(5)
"""
    assert program(code, tmp_path) == 5
    assert host.asked == []
    assert bridge.call("after", {}) == {}


def test_a_program_sends_nothing_that_is_beyond_the_bounds(host: Host, tmp_path: Path) -> None:
    code = """
import os, socket
from nl2code_guest.frames import encode_frame
fd = int(os.environ["NL2CODE_BRIDGE"].partition(":")[0])
sock = socket.socket(fileno=fd)
deep = 1
for _ in range(40):
    deep = [deep]
for args in ({"x": deep}, {"x": "a" * (1 << 20)}):
    sock.sendall(encode_frame({"type": "call", "name": "echo", "args": args}))
    assert b"ToolError" in sock.recv(4096)
"""
    assert program(code, tmp_path) == 0
    assert host.asked == []


def test_a_grandchild_has_no_bridge(host: Host, tmp_path: Path) -> None:
    inner = "import nl2code\nnl2code.tools.append()"
    code = f"""
import subprocess, sys
ended = subprocess.run([sys.executable, "-c", {inner!r}], capture_output=True, text=True)
assert "works only in a cell of a session" in ended.stderr, ended.stderr
"""
    assert program(code, tmp_path) == 0
    assert host.asked == []


def test_an_interrupt_ends_the_program(host: Host, tmp_path: Path) -> None:
    def interrupted(_call: ToolCall) -> ToolResult:
        raise KeyboardInterrupt

    host.answer = interrupted
    pid_file = tmp_path / "pid"
    code = f"""
import os, nl2code, pathlib, time
pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))
nl2code.tools.append()
"""
    with pytest.raises(KeyboardInterrupt):
        program(code + "time.sleep(60)", tmp_path)
    pid = int(pid_file.read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
