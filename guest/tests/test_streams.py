"""Streams come and go; the cell goes on. A peer that breaks the rules loses its stream and nothing else."""

from __future__ import annotations

import json
import struct
import time

import pytest
from harness import Guest, Start, Stream, StreamEnded, children, kill, until_gone

SLOW = "import time\nfor i in range(6):\n    print('line', i)\n    time.sleep(0.05)\ni"


def ended(stream: Stream) -> bool:
    try:
        while True:
            stream.receive()
    except StreamEnded:
        return True


def test_welcome_names_what_the_host_needs_to_know(guest: Guest) -> None:
    welcome = guest.welcome
    assert (welcome["type"], welcome["protocol"], welcome["session"]) == ("welcome", 2, "s")
    assert (welcome["head"], welcome["running"]) == (-1, None)
    assert welcome["python"].startswith("3.")
    assert set(welcome["packages"]) >= {"numpy", "pandas"}


def test_a_host_that_attaches_sees_all_output_and_the_result(guest: Guest) -> None:
    guest.ask(SLOW)
    first = guest.stream.receive()[0]
    assert (first["type"], first["seq"]) == ("out", 0)
    guest.stream.close()
    assert guest.attach()["running"] == 0
    guest.stream.ask(0, SLOW)
    done = guest.stream.done()
    assert [out["seq"] for out in done.outs] == list(range(len(done.outs)))
    assert done.live() == done.stdout == "".join(f"line {i}\n" for i in range(6))
    assert (done.text, done.header["cached"]) == ("5", False)


def test_attaching_with_other_code_is_a_conflict(guest: Guest) -> None:
    guest.ask(SLOW)
    guest.stream.ask(0, "other")
    assert guest.stream.answer()["code"] == "conflict"
    assert guest.stream.done().text == "5"


def test_a_cell_that_ends_while_nobody_listens_is_answered_later(guest: Guest) -> None:
    guest.ask(SLOW)
    guest.stream.close()
    while True:
        welcome = guest.attach()
        if welcome["running"] is None:
            break
    assert welcome["head"] == 0
    guest.stream.ask(0, SLOW)
    done = guest.stream.done()
    assert (done.header["cached"], done.outs) == (True, [])
    assert done.stdout.endswith("line 5\n")


def test_the_newest_stream_that_says_hello_is_the_only_one(guest: Guest) -> None:
    old = guest.stream
    silent = guest.connect()
    guest.attach()
    assert ended(old)
    silent.send(type="ping", n=7)
    assert silent.receive()[0] == {"type": "pong", "n": 7}
    assert guest.run("1").text == "1"


def test_a_ping_is_answered_while_a_cell_runs(guest: Guest) -> None:
    guest.ask("import os, time\nwhile not os.path.exists('seen'): time.sleep(0.001)")
    guest.stream.send(type="ping", n=1)
    assert guest.stream.answer() == {"type": "pong", "n": 1}
    (guest.workspace / "seen").touch()
    assert guest.stream.done().ended == "ok"


def test_hello_with_another_session_or_version_is_refused(guest: Guest) -> None:
    assert guest.connect().hello(session="other")["code"] == "protocol"
    refused = guest.connect().hello(protocol=1)
    assert refused["code"] == "protocol" and "protocol 2" in refused["message"]
    assert guest.run("1").text == "1"


def test_nothing_but_ping_is_answered_before_hello(guest: Guest) -> None:
    stream = guest.connect()
    stream.ask(0, "1")
    assert stream.answer()["code"] == "protocol"
    assert ended(stream)


def frame(header: bytes, body: int = 0) -> bytes:
    return struct.pack(">II", len(header), body) + header


HOSTILE = {
    "header too long": struct.pack(">II", 0xFFFFFFFF, 0),
    "header just too long": struct.pack(">II", (4 << 20) + 1, 0),
    "header of nothing": struct.pack(">II", 0, 0),
    "body": frame(b'{"type":"ping","n":1}', 1),
    "huge body": frame(b'{"type":"ping","n":1}', 0xFFFFFFFF),
    "no JSON": frame(b"{nonsense"),
    "no UTF-8": frame(b'{"type":"\xff"}'),
    "NaN": frame(b'{"type":"ping","n":NaN}'),
    "deep JSON": frame(b'{"type":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "endless number": frame(b'{"type":"ping","n":' + b"9" * 100_000 + b"}"),
    "an array": frame(b"[1,2]"),
    "no type": frame(b'{"n":1}'),
    "unknown type": frame(b'{"type":"reboot"}'),
    "wrong k": frame(json.dumps({"type": "interrupt", "k": "0"}).encode()),
    "true as a number": frame(b'{"type":"ping","n":true}'),
    "epoch of one": frame(b'{"type":"hello","protocol":1,"session":"s","epoch":[1]}'),
    "negative epoch": frame(b'{"type":"hello","protocol":1,"session":"s","epoch":[-1,0]}'),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_frame_ends_its_stream_only(shared: Guest, data: bytes) -> None:
    stream = shared.connect()
    stream.sock.sendall(data)
    refused = stream.answer()
    assert (refused["type"], refused["code"]) == ("refused", "protocol")
    assert len(refused["message"]) < 300
    assert ended(stream)
    assert shared.run("1").text == "1"


def test_half_a_frame_and_many_silent_streams_cost_nothing(guest: Guest) -> None:
    streams = [guest.connect() for _ in range(30)]
    for stream in streams[-5:]:
        stream.sock.sendall(b"\x00\x00")
    assert guest.run("1").text == "1"


def test_a_host_that_does_not_read_holds_nothing_up(guest: Guest) -> None:
    guest.ask("for i in range(200_000): print('x' * 50)")
    guest.stream.ask(1, "late")
    deaf = guest.stream
    while (welcome := guest.attach())["running"] is not None:
        time.sleep(0.01)
    assert welcome["head"] == 0
    assert guest.run("1").text == "1"
    deaf.close()


def test_a_cell_that_writes_into_the_kernels_socket_loses_its_kernel_only(guest: Guest) -> None:
    forge = (
        "kept = 1\nimport os, socket, stat\n"
        "for fd in range(3, 20):\n"
        "    try:\n"
        "        if stat.S_ISSOCK(os.fstat(fd).st_mode): os.write(fd, b'garbage garbage garbage')\n"
        "    except OSError: pass\n"
        "import time; time.sleep(30)"
    )
    done = guest.run(forge)
    assert done.ended == "kernel-died" and "socket" in done.message
    assert guest.run("1").text == "1"


def test_the_kernel_holds_no_descriptor_but_its_own(guest: Guest) -> None:
    listed = guest.run(
        "import os\nnames = []\nfor fd in os.listdir('/proc/self/fd'):\n"
        "    try: names.append(os.readlink(f'/proc/self/fd/{fd}').split(':')[0])\n"
        "    except FileNotFoundError: pass  # that of the listing itself\n"
        "sorted(names)"
    )
    assert listed.text == "['/dev/null', 'pipe', 'pipe', 'socket', 'socket']"


def test_a_cell_can_not_read_the_init(guest: Guest) -> None:
    code = f"open('/proc/{guest.process.pid}/environ').read()"
    done = guest.run(f"import os\nos.getuid() == 0 or {code}")
    assert done.text == "True" or done.reply["error"]["type"] == "PermissionError"


def test_a_dead_zygote_is_replaced(start: Start) -> None:
    guest = start()
    kernel = guest.kernel_pid()
    (zygote,) = [pid for pid in children(guest.process.pid) if pid != kernel]
    kill(zygote)
    assert until_gone(zygote)
    assert guest.run("1").text == "1"
    kill(kernel)
    assert until_gone(kernel)
    assert guest.run("2").restored
