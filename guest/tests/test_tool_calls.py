"""A call of a tool waits for its host, is asked again until it is answered, and never in another cell's name."""

from __future__ import annotations

import time
from typing import Any

import pytest
from harness import Guest, Start, StreamEnded, kill

from nl2code_guest.frames import Frame, FrameError
from nl2code_guest.host_messages import ToolAnswer
from nl2code_guest.tool_calls import MAX_ARGS_BYTES, ToolCalls

CALL = "from nl2code import tools\n"


def echo(call: dict[str, Any]) -> object:
    return [call["k"], call["call"], call["name"], call["args"]]


def test_a_call_is_answered_with_what_the_host_says(guest: Guest) -> None:
    guest.stream.tools = echo
    done = guest.run(CALL + "tools.append(text='a'), tools.append(text='b')")
    assert done.text == "([0, 0, 'append', {'text': 'a'}], [0, 1, 'append', {'text': 'b'}])"
    assert guest.run("tools.next()").text == "[1, 0, 'next', {}]"


def test_an_error_of_the_host_is_raised_in_the_cell(guest: Guest) -> None:
    guest.ask(CALL + "tools.append(text='a')")
    call = guest.stream.tool()
    assert (call["replay"], call["args"]) == (False, {"text": "a"})
    error = {"type": "ToolError", "message": "No such list."}
    guest.stream.send(type="tool-result", k=0, call=0, ok=False, error=error)
    done = guest.stream.done()
    assert (done.reply["error"]["type"], done.message) == ("ToolError", "No such list.")


def test_a_call_without_a_host_waits_and_is_asked_of_the_next_stream(guest: Guest) -> None:
    code = CALL + "print('before', flush=True)\ntools.append(text='a')"
    guest.ask(code)
    assert guest.stream.tool()["call"] == 0
    guest.stream.close()
    guest.attach()
    # Whoever has not asked for the cell is not asked for its tools.
    guest.stream.send(type="ping", n=1)
    assert guest.stream.receive()[0]["type"] == "pong"
    guest.stream.ask(0, code)
    assert guest.stream.receive()[0]["type"] == "out"
    guest.stream.reply(guest.stream.tool(), "late")
    assert guest.stream.done().text == "'late'"


def test_the_call_of_a_cell_that_runs_again_is_asked_again_with_the_same_number(guest: Guest) -> None:
    pid = guest.kernel_pid()
    guest.ask(CALL + "first = tools.append(text='a')\nsecond = tools.append(text='b')\n(first, second)")
    guest.stream.reply(guest.stream.tool(), 1)
    assert guest.stream.tool()["call"] == 1
    kill(pid)
    heard: list[dict[str, Any]] = []

    def answer(call: dict[str, Any]) -> int:
        heard.append(call)
        return int(call["call"]) + 1

    guest.stream.tools = answer
    done = guest.stream.done()
    assert (done.text, done.agains) == ("(1, 2)", [2])
    assert [(call["k"], call["call"], call["args"]["text"]) for call in heard] == [(1, 0, "a"), (1, 1, "b")]


@pytest.mark.parametrize("point", ["before-tool-call", "tool-answered"])
def test_a_kernel_killed_around_a_call_asks_the_same_again(guest: Guest, point: str) -> None:
    guest.run("1")
    guest.fail_at(point)
    asked: list[tuple[int, int]] = []

    def answer(call: dict[str, Any]) -> str:
        asked.append((call["k"], call["call"]))
        return "answer"

    guest.stream.tools = answer
    done = guest.run(CALL + "tools.append(text='a')")
    assert (done.text, done.agains) == ("'answer'", [2])
    assert asked == ([(1, 0)] if point == "before-tool-call" else [(1, 0), (1, 0)])


def test_a_call_waits_until_the_state_before_its_cell_is_saved(plain: Guest) -> None:
    plain.run("SAVE = 'forked'")
    plain.ask("SAVE = 'inline'\n" + CALL + "print('now', flush=True)\ntools.append(text='a')", timeout_ms=1000)
    assert plain.stream.receive()[0]["text"] == "now\n"
    plain.stream.sock.settimeout(1.2)
    with pytest.raises(TimeoutError):
        plain.stream.receive()
    plain.stream.sock.settimeout(60)
    (plain.checkpoint / "child-goes").touch()
    assert plain.stream.receive()[0] == {"type": "saved", "k": 0}
    plain.stream.reply(plain.stream.tool(), "late")
    # The time it waited is not the cell's.
    assert (done := plain.stream.done()).ended == "ok" and done.text == "'late'"


def test_a_call_goes_on_when_the_state_before_its_cell_can_not_be_saved(plain: Guest) -> None:
    plain.run("SAVE = 'forked'")
    plain.ask("SAVE = 'inline'\n" + CALL + "print('now', flush=True)\ntools.append(text='a')")
    assert plain.stream.receive()[0]["text"] == "now\n"
    (plain.checkpoint / "child-fails").touch()
    plain.stream.reply(plain.stream.tool(), "answer")
    assert (done := plain.stream.done()).text == "'answer'" and done.saved == "local"


def test_a_cell_is_interrupted_while_its_call_waits_and_the_late_answer_is_dropped(guest: Guest) -> None:
    guest.ask(CALL + "x = 1\ntools.append(text='a')")
    call = guest.stream.tool()
    guest.stream.send(type="interrupt", k=0)
    assert guest.stream.done().ended == "interrupted"
    guest.stream.reply(call, "late")
    guest.stream.tools = echo
    assert guest.run("x, tools.append(text='b')").text == "(1, [1, 0, 'append', {'text': 'b'}])"


def test_the_time_limit_counts_while_a_host_works_on_a_call(guest: Guest) -> None:
    guest.ask(CALL + "tools.append(text='a')", timeout_ms=3_000)
    guest.stream.tool()
    assert guest.stream.done().ended == "timeout"


def test_the_time_limit_stands_still_while_no_host_is_there(guest: Guest) -> None:
    code = CALL + f"{guest.once()}\ntools.append(text='a')"
    guest.ask(code, timeout_ms=3_000)
    guest.stream.close()
    guest.until_traces(1)
    time.sleep(3.5)
    guest.attach()
    guest.stream.ask(0, code)
    guest.stream.reply(guest.stream.tool(), "late")
    assert guest.stream.done().text == "'late'"


def test_threads_of_a_cell_call_one_after_another(guest: Guest) -> None:
    guest.stream.tools = echo
    code = CALL + (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    answers = list(pool.map(lambda n: tools.append(n=n), range(20)))\n"
        "sorted(answer[1] for answer in answers) == list(range(20)), [answer[3]['n'] for answer in answers]"
    )
    assert guest.run(code).text == f"(True, {list(range(20))})"


def test_a_thread_that_calls_when_its_cell_has_ended_is_told_so(guest: Guest) -> None:
    code = CALL + (
        "import threading\nsaid = []\ndef late():\n"
        "    try: tools.append(text='a')\n    except Exception as error: said.append(str(error))\n"
        "thread = threading.Thread(target=late)\nthread.start()\n"
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.001)"
    )
    guest.ask(code)
    guest.stream.tool()
    (guest.workspace / "go").touch()
    assert guest.stream.done().ended == "ok"
    assert "The cell has ended" in guest.run("thread.join(5)\nsaid[0]").text
    guest.stream.send(type="tool-result", k=0, call=0, ok=True, value=1)
    assert guest.run("1").text == "1"


def test_a_program_of_its_own_calls_in_the_name_of_its_cell(guest: Guest) -> None:
    guest.stream.tools = echo
    done = guest.run("%%python\nfrom nl2code import tools\nprint(tools.append(text='a'))")
    assert done.stdout == "[0, 0, 'append', {'text': 'a'}]\n"


def test_a_signal_of_the_users_that_raises_in_the_midst_of_a_call_leaves_the_kernel_whole(guest: Guest) -> None:
    code = CALL + (
        "import signal\nclass Late(Exception): pass\ndef late(*_): raise Late\n"
        "signal.signal(signal.SIGALRM, late)\nended = {'ok': 0, 'late': 0}\n"
        "for n in range(60):\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.0004 * (n % 6 + 1))\n"
        "    try:\n        tools.append(n=n)\n        ended['ok'] += 1\n"
        "    except Late: ended['late'] += 1\n"
        "    finally: signal.setitimer(signal.ITIMER_REAL, 0)\n"
        "sum(ended.values())"
    )
    guest.stream.tools = echo
    pid = guest.kernel_pid()
    # An alarm may come between two statements of the loop too, which is the cell's own affair.
    assert guest.run(code).ended in ("ok", "error")
    guest.stream.tools = echo
    assert guest.run(CALL + "tools.append(n=1)[3]").text == "{'n': 1}"
    assert guest.kernel_pid() == pid


@pytest.mark.parametrize("first", ["host", "kernel"])
def test_what_is_computed_again_asks_for_recorded_answers_only_whoever_is_first(start_plain: Start, first: str) -> None:
    guest = start_plain()
    guest.run("x = 1")
    guest.run("REPLAY = 0")
    guest.kill()
    second = start_plain()
    # The kernel restores ahead of any host; it asks who wants the cell.
    while first == "kernel" and not (second.checkpoint / "asked").exists():
        time.sleep(0.001)
    second.stream.ask(2, "replayed")
    call = second.stream.tool()
    assert (call["k"], call["call"], call["name"], call["replay"]) == (0, 0, "replayed", True)
    second.stream.reply(call, "recorded")
    assert second.stream.done().text == "'recorded'"


@pytest.mark.parametrize(
    "answer",
    [
        {"k": 0, "call": 1, "ok": True, "value": 1},
        {"k": 5, "call": 0, "ok": True, "value": 1},
        {"k": 0, "call": 0, "ok": True},
        {"k": 0, "call": 0, "ok": "yes", "value": 1},
        {"k": 0, "call": 0, "ok": False},
        {"k": 0, "call": 0, "ok": False, "error": {"type": "E"}},
        {"k": 0, "call": -1, "ok": True, "value": 1},
    ],
)
def test_an_answer_that_breaks_a_rule_ends_its_stream_and_the_call_waits_on(
    guest: Guest, answer: dict[str, Any]
) -> None:
    code = CALL + "tools.append(text='a')"
    guest.ask(code)
    guest.stream.tool()
    guest.stream.send(type="tool-result", **answer)
    refused = guest.stream.answer()
    assert (refused["type"], refused["code"]) == ("refused", "protocol")
    with pytest.raises(StreamEnded):
        guest.stream.receive()
    guest.attach()
    guest.stream.ask(0, code)
    guest.stream.reply(guest.stream.tool(), "right")
    assert guest.stream.done().text == "'right'"


# --- what a hostile kernel may ask -----------------------------------------------------------------------------------


def frame(**header: Any) -> Frame:
    return Frame({"type": "tool", "k": 3, "call": 0, "name": "t", "args": {}, "replay": False, **header}, b"")


@pytest.mark.parametrize(
    "header",
    [
        {"k": 2},
        {"k": 4},
        {"k": "3"},
        {"k": True},
        {"replay": True},
        {"call": 1 << 31},
        {"call": -1},
        {"call": None},
        {"name": ""},
        {"name": "x" * 201},
        {"name": 1},
        {"args": []},
        {"args": {"a": "x" * MAX_ARGS_BYTES}},
    ],
)
def test_a_call_that_breaks_a_rule_is_not_taken(header: dict[str, Any]) -> None:
    calls = ToolCalls()
    with pytest.raises(FrameError):
        calls.ask(frame(**header), 3, replay=False)
    assert not calls.waiting


def test_a_restoring_kernel_asks_in_the_name_of_earlier_cells_only() -> None:
    calls = ToolCalls()
    calls.ask(frame(k=2, replay=True), 3, replay=True)
    for header in ({"k": 3, "replay": True}, {"k": 2, "replay": False, "call": 1}):
        with pytest.raises(FrameError):
            calls.ask(frame(**header), 3, replay=True)


def test_a_call_that_its_cell_gave_up_is_asked_of_nobody_any_more() -> None:
    calls = ToolCalls()
    for call in range(300):
        calls.ask(frame(call=call), 3, replay=False)
    sent: list[bytes] = []
    calls.send(sent.append)
    assert len(sent) == 1 and b'"call":299' in sent[0]
    assert calls.answer(ToolAnswer(3, 5, {}), 3) is None


def test_the_calls_of_a_cell_are_numbered_in_their_order() -> None:
    calls = ToolCalls()
    for call in (0, 1, 5):
        calls.ask(frame(call=call), 3, replay=False)
    for call in (5, 0):
        with pytest.raises(FrameError, match="order"):
            calls.ask(frame(call=call), 3, replay=False)


def test_an_answer_to_a_run_that_is_over_is_dropped() -> None:
    calls = ToolCalls()
    calls.ask(frame(), 3, replay=False)
    calls.end()
    assert calls.answer(ToolAnswer(3, 0, {}), 3) is None
    calls.next_cell()
    assert calls.answer(ToolAnswer(3, 9, {}), 4) is None
