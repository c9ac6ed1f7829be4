"""Plays the supervisor and the host: starts the guest, hands it streams, speaks the protocol."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GUEST = Path(__file__).resolve().parent.parent
PYTHON = os.environ.get("NL2CODE_TEST_PYTHON", sys.executable)


def sha(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


@dataclass
class Done:
    """A `done` frame with its attachments and the `out` frames seen before it."""

    header: dict[str, Any]
    attachments: list[bytes]
    outs: list[dict[str, Any]] = field(default_factory=list)
    #: What else was heard before it: `again` and `saved`.
    heard: list[dict[str, Any]] = field(default_factory=list)

    @property
    def saved(self) -> str:
        return str(self.header["saved"])

    @property
    def restored(self) -> dict[str, Any] | None:
        report: dict[str, Any] | None = self.reply["restored"]
        return report

    @property
    def agains(self) -> list[int]:
        return [frame["run"] for frame in self.heard if frame["type"] == "again"]

    @property
    def reply(self) -> dict[str, Any]:
        reply: dict[str, Any] = self.header["reply"]
        return reply

    @property
    def ended(self) -> str:
        return str(self.reply["ended"])

    @property
    def stdout(self) -> str:
        return str(self.reply["stdout"]["text"])

    @property
    def stderr(self) -> str:
        return str(self.reply["stderr"]["text"])

    @property
    def message(self) -> str:
        return str((self.reply["error"] or {}).get("message", ""))

    @property
    def traceback(self) -> str:
        return str((self.reply["error"] or {}).get("traceback", ""))

    @property
    def text(self) -> str:
        result = self.reply["result"]
        return str(result["text"]["text/plain"]["text"]) if result else ""

    def live(self, stream: str = "stdout") -> str:
        return "".join(out["text"] for out in self.outs if out["stream"] == stream)


class StreamEnded(Exception):
    """The guest closed the stream."""


class Stream:
    """A host's end of one stream."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(60)
        self._buffer = b""
        #: Answers a call of a tool on the way to a `done`; without it such a call fails the test.
        self.tools: Callable[[dict[str, Any]], object] | None = None

    def send(self, **header: Any) -> None:
        data = json.dumps(header).encode()
        self.sock.sendall(struct.pack(">II", len(data), 0) + data)

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                data = self.sock.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                raise StreamEnded
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def receive(self) -> tuple[dict[str, Any], bytes]:
        header_bytes, body_bytes = struct.unpack(">II", self._take(8))
        return json.loads(self._take(header_bytes)), self._take(body_bytes)

    def hello(self, session: str = "s", epoch: tuple[int, int] = (1, 1), protocol: int = 2) -> dict[str, Any]:
        self.send(type="hello", protocol=protocol, session=session, epoch=list(epoch))
        return self.receive()[0]

    def ask(
        self,
        k: int,
        code: str,
        timeout_ms: int = 20_000,
        chars: int = 20_000,
        epoch: tuple[int, int] = (1, 1),
        **more: object,
    ) -> None:
        said = {"k": k, "sha": sha(code), "code": code, "timeoutMs": timeout_ms, "maxOutputChars": chars}
        self.send(type="exec", **said, epoch=list(epoch), **more)

    def done(self) -> Done:
        """Reads on to the next `done`."""
        outs: list[dict[str, Any]] = []
        heard: list[dict[str, Any]] = []
        while True:
            header, body = self.receive()
            if header["type"] == "out":
                outs.append(header)
                continue
            if header["type"] in ("again", "saved"):
                heard.append(header)
                # The output of the run before is void.
                outs = [] if header["type"] == "again" else outs
                continue
            if header["type"] == "tool" and self.tools:
                self.reply(header, self.tools(header))
                continue
            assert header["type"] == "done", header
            parts, at = [], 0
            for size in header["attachments"]:
                parts.append(body[at : at + size])
                at += size
            return Done(header, parts, outs, heard)

    def reply(self, call: dict[str, Any], value: object) -> None:
        """Answers a call of a tool."""
        self.send(type="tool-result", k=call["k"], call=call["call"], ok=True, value=value)

    def tool(self) -> dict[str, Any]:
        """Reads on to the next call of a tool."""
        header = self.answer()
        assert header["type"] == "tool", header
        return header

    def answer(self) -> dict[str, Any]:
        """The next frame that is no output."""
        while (header := self.receive()[0])["type"] == "out":
            pass
        return header

    def close(self) -> None:
        self.sock.close()


class Guest:
    """A guest process and its current stream; cells are numbered by themselves."""

    def __init__(
        self,
        folder: Path,
        warm: str = "bare",
        session: str = "s",
        env: dict[str, str] | None = None,
        options: Sequence[str] = (),
        limits: dict[int, int] | None = None,
        plain: bool = False,
    ) -> None:
        """With `plain` its states are those of `plain_state`, whose saves a cell can have fail or wait."""
        self.folder = folder
        self.workspace = folder / "workspace"
        self.checkpoint = folder / "checkpoint"
        for path in (self.workspace, self.checkpoint / "fail-points"):
            path.mkdir(parents=True, exist_ok=True)
        self._control, its = socket.socketpair()
        self.log = open(folder / "guest.log", "ab")  # noqa: SIM115
        program = [str(GUEST / "tests" / "plain_guest.py")] if plain else ["-m", "nl2code_guest"]
        command = [PYTHON, "-s", "-P", *program, "--control-fd", str(its.fileno())]
        command += ["--checkpoint", str(self.checkpoint), "--workspace", str(self.workspace)]
        command += ["--session", session, "--warm", warm, *options]
        self.process = subprocess.Popen(
            command,
            pass_fds=(its.fileno(),),
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(GUEST),
                "MPLBACKEND": "agg",
                "MPLCONFIGDIR": str(folder / "mpl"),
                "XDG_CACHE_HOME": str(folder / "cache"),
                "OMP_NUM_THREADS": "2",
                "OPENBLAS_NUM_THREADS": "2",
                "PYTHONHASHSEED": "1",
                **(env or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=lambda: _limit(limits or {}),
        )
        its.close()
        self.next = 0
        self.stream = self.connect()
        self.welcome = self.stream.hello(session)

    def connect(self) -> Stream:
        """A new stream through the control socket, as the supervisor does it."""
        mine, its = socket.socketpair()
        socket.send_fds(self._control, [b"s"], [its.fileno()])
        its.close()
        return Stream(mine)

    def attach(self, epoch: tuple[int, int] = (1, 1)) -> dict[str, Any]:
        """Connects anew and makes it the current stream."""
        self.stream = self.connect()
        return self.stream.hello(epoch=epoch)

    def settle(self) -> None:
        """Waits for what an earlier test left running, so that its failure stays its own."""
        while (welcome := self.attach())["running"] is not None:
            time.sleep(0.01)
        self.next = welcome["head"] + 1

    def ask(self, code: str, **options: Any) -> int:
        """Sends the next cell without waiting for it."""
        k = self.next
        self.next += 1
        self.stream.ask(k, code, **options)
        return k

    def run(self, code: str, **options: Any) -> Done:
        """Runs the next cell to its end."""
        self.ask(code, **options)
        return self.stream.done()

    def once(self) -> str:
        """Code that leaves a trace of its run where no restore takes it back."""
        return f"print(open({str(self.folder / 'traces')!r}, 'a').write('x'))"

    def traces(self) -> int:
        """How often code with `once` has run."""
        path = self.folder / "traces"
        return len(path.read_text()) if path.exists() else 0

    def until_traces(self, number: int) -> None:
        """Waits until code with `once` has run so often."""
        end = time.monotonic() + 20
        while self.traces() < number:
            assert time.monotonic() < end
            time.sleep(0.001)

    def fail_at(self, point: str) -> None:
        """Has the next process that comes to this place killed there."""
        (self.checkpoint / "fail-points" / point).touch()

    def kernel_pid(self) -> int:
        return int(self.run("import os; os.getpid()").text)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Stops the init, so that it finds everything that happens meanwhile at once."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """`kill -9` of the init, as when its sandbox is lost; nothing of it is left."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self._control.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def _limit(limits: dict[int, int]) -> None:
    for name, most in limits.items():
        resource.setrlimit(name, (most, most))


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def children(of: int) -> list[int]:
    """The child processes of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(of):
                found.append(int(entry.name))
    return found


def until_gone(*pids: int, seconds: float = 5.0) -> bool:
    """Waits until none of the processes is left."""
    end = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


Start = Callable[..., Guest]
"""Starts a guest on a test's folder, with the options of its command line."""
