"""Plays the init for a kernel that saves: one process that runs cells, and manifests written here of what it sends.

The process is killed and started anew at will; what it goes on from is what stands in the manifests.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nl2code_guest.checkpoint.manifests import newest, write_manifest
from nl2code_guest.checkpoint.saved_state import decode_state

GUEST = Path(__file__).resolve().parent.parent
KERNEL = Path(__file__).resolve().parent / "saved_session_kernel.py"


class KernelEnded(Exception):
    """The process ended in the midst of a question."""


class SavedSession:
    """A session in a folder of its own."""

    def __init__(self, folder: Path, durable: bool = False, quota: int | None = None, **env: str) -> None:
        self.checkpoint = folder / "checkpoint"
        self.workspace = folder / "workspace"
        for path in (self.checkpoint, self.workspace):
            path.mkdir(parents=True, exist_ok=True)
        self._manifests = str(self.checkpoint / "manifests")
        self._durable = durable
        self._options = json.dumps(
            {
                "folder": str(self.checkpoint),
                "workspace": str(self.workspace),
                "durable": durable,
                "quota": quota,
            }
        )
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        #: Cells that were told and have no manifest yet: number, code, how it ended.
        self._tail: list[tuple[int, str, str]] = []
        self._at_start: dict[int, bytes] = {}
        self.head = -1
        #: Headers of the states that came, newest last.
        self.headers: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self.outcome: Any = None
        self.report: dict[str, Any] = {}
        #: What the last cell printed.
        self.output = ""
        self.outputs: list[str] = []
        self.ms = 0.0

    # --- the process -----------------------------------------------------------------------------------------------

    def start(self, restore: bool = True, exact: bool = True) -> SavedSession:
        """Starts the kernel and restores the newest manifest in it."""
        mine, its = socket.socketpair()
        saves, its_saves = socket.socketpair()
        self._sock, self._saves = mine.makefile("rwb"), saves
        self._arrived: queue.Queue[tuple[dict[str, Any], bytes] | None] = queue.Queue()
        threading.Thread(target=_read, args=(saves.makefile("rb"), self._arrived), daemon=True).start()
        log = open(self.checkpoint.parent / "kernel.log", "ab")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", str(KERNEL), str(its.fileno()), str(its_saves.fileno()), self._options],
            pass_fds=(its.fileno(), its_saves.fileno()),
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(GUEST),
                "MPLBACKEND": "agg",
                "MPLCONFIGDIR": str(self.checkpoint.parent / "mpl"),
                "PYTHONHASHSEED": "1",
                "OMP_NUM_THREADS": "2",
                "OPENBLAS_NUM_THREADS": "2",
                **self._env,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        for sock in (mine, its, its_saves):
            sock.close()
        self._tail = []
        manifest = newest(self._manifests)
        self.head = manifest.k if manifest else -1
        if restore and (self.head >= 0 or exact):
            at_start = self._at_start.get(self.head + 1)
            encoded = base64.b64encode(at_start).decode() if at_start else None
            self.report = self._ask(do="restore", head=self.head, atStart=encoded, exact=exact)
        return self

    def kill(self) -> None:
        """Ends the kernel as a crash does, and everything it has not sent is gone."""
        assert self._process
        self._process.kill()
        self._process.wait()
        self._process = None
        # A question that nobody took is still to be written.
        with contextlib.suppress(OSError):
            self._sock.close()
        self._saves.close()

    def again(self, **options: Any) -> SavedSession:
        """Kills the kernel and starts another one that goes on."""
        self.kill()
        return self.start(**options)

    def close(self) -> None:
        """Ends the kernel if it runs."""
        if self._process:
            self.kill()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def wait(self) -> int:
        """Waits for the kernel's own end; its exit code."""
        assert self._process
        return self._process.wait(30)

    # --- cells -----------------------------------------------------------------------------------------------------

    def run(self, code: str) -> SavedSession:
        """Runs the next cell, and commits what is sent of it."""
        k = self.last + 1
        answer = self._ask(do="run", k=k, code=code)
        self.output, self.outcome, self.ms = answer["output"], answer["outcome"], answer["ms"]
        if answer["atStart"] is not None:
            self._at_start[k] = base64.b64decode(answer["atStart"])
        self._tail.append((k, code, answer["ended"]))
        if self.outcome == "inline":
            self.commit()
        return self

    @property
    def last(self) -> int:
        """The last cell that was told."""
        return self._tail[-1][0] if self._tail else self.head

    def settle(self, wait: bool = True) -> Any:
        """Has the kernel take what its child came to, and commits it."""
        found = self._ask(do="settle", wait=wait)
        if found["pending"] is False and self._tail and found["unsaved"] is None:
            self.commit()
        return found["unsaved"]

    def commit(self) -> None:
        """Reads one state and writes its manifest."""
        header, state = self.receive()
        k, code, ended = next(cell for cell in self._tail if cell[0] == header["k"])
        covered = [cell for cell in self._tail if cell[0] < k]
        assert header["covers"] == [covered[0][0] if covered else k, k], (header, self._tail)
        parent = newest(self._manifests)
        write_manifest(
            self._manifests,
            {
                "session": "s",
                "k": k,
                "sha": hashlib.sha256(code.encode()).hexdigest(),
                "parent": {"k": parent.k, "sha": parent.sha} if parent else None,
                "code": code,
                "want": header["want"],
                "full": header["full"],
                "reply": {"ended": ended},
                "covered": [{"k": cell[0], "code": cell[1]} for cell in covered],
            },
            [],
            state,
            self._durable,
        )
        self._tail = [cell for cell in self._tail if cell[0] > k]
        self.head = k

    def commit_nothing(self, state: bytes = b"") -> None:
        """A cell that killed its kernel three times is committed without effects, as the init does it."""
        self._tail.append((self.last + 1, "…", "kernel-died"))
        parent = newest(self._manifests)
        assert parent
        k = self._tail[-1][0]
        pointer = {"k": parent.k, "sha": parent.sha}
        header = {"session": "s", "k": k, "sha": "", "parent": pointer, "code": "…", "want": "bare", "full": False}
        write_manifest(self._manifests, {**header, "reply": {"ended": "kernel-died"}}, [], state, self._durable)
        self._tail, self.head = [], k

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """One state off the socket."""
        found = self._arrived.get(timeout=30)
        if found is None:
            raise KernelEnded
        header, state = found
        self.headers.append(header)
        self.states.append(decode_state(state))
        return header, state

    def show(self, expression: str) -> Any:
        """The repr of an expression in the kernel; it is no cell and saves nothing."""
        return self._ask(do="show", expression=expression)["text"]

    def digest(self) -> dict[str, str]:
        """Every variable in a form that can be compared, and the files, settings and random state."""
        found: dict[str, str] = self._ask(do="digest")
        return found

    def pickled(self) -> dict[str, int]:
        """How often each variable was pickled since this was last asked."""
        found: dict[str, int] = self._ask(do="pickled")
        return found

    def _ask(self, **question: Any) -> Any:
        try:
            self._sock.write(json.dumps(question).encode() + b"\n")
            self._sock.flush()
            line = self._sock.readline()
        except OSError:
            line = b""
        if not line:
            raise KernelEnded
        answer = json.loads(line)
        if isinstance(answer, dict) and "failed" in answer:
            raise AssertionError(answer["failed"])
        return answer


def _read(saves: Any, arrived: queue.Queue[tuple[dict[str, Any], bytes] | None]) -> None:
    """Takes states off the socket at once, as the init does, so that no child waits to be heard."""
    with contextlib.suppress(OSError, ValueError):
        while line := saves.readline():
            header = json.loads(line)
            size = header.pop("bytes")
            state = saves.read(size)
            if len(state) == size:
                arrived.put((header, state))
    arrived.put(None)


Begin = Callable[..., SavedSession]
"""Makes and starts a session of a name; options are those of `SavedSession`."""


def entries(folder: Path) -> list[str]:
    """Names in a folder, sorted."""
    return sorted(os.listdir(folder)) if folder.exists() else []
