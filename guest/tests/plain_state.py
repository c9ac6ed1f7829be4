"""Stands in for `SessionState`: pickles every variable plainly, and saves or fails as the cell's variables say.

| variable | effect on the save after the cell |
|---|---|
| `SAVE = "none"` | it fails, and says so |
| `SAVE = "forked"` | a child saves once `child-goes` lies in the checkpoint, and fails once `child-fails` does |
| `REPLAY = k` | a restore asks the tool `replayed` in the name of cell k and binds the answer to `replayed` |

A file `unrestorable` in the checkpoint holds the number of a manifest that can't be restored, `trouble` that of an
error of the system which every restore meets, `dies` and `hangs` the number of restores that end the kernel or never
end; with `saved-and-dead` the kernel is killed when a state was sent. `asked` appears there when a restore has asked
its tool.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import os
import pickle
import signal
import time
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from nl2code_guest import bridge
from nl2code_guest.checkpoint.fail_points import fail_point
from nl2code_guest.checkpoint.kernel_state import (
    KernelState,
    MakeState,
    RestoreReport,
    SaveOutcome,
    Unrestorable,
    Unsaved,
)
from nl2code_guest.checkpoint.manifests import read_manifest
from nl2code_guest.kernel_channel import KernelChannel


class SessionState(KernelState):
    """The variables and files of one kernel."""

    def __init__(
        self,
        folder: str,
        workspace: str,
        namespace: dict[str, Any],
        *,
        durable: bool,
        quota_bytes: int | None,
        send: Callable[[dict[str, Any], bytes], None],
        replay_tools: Callable[[int], AbstractContextManager[object]] | None = None,
    ) -> None:
        assert replay_tools is not None
        self._replay_tools = replay_tools
        self._folder = Path(folder)
        self._workspace = Path(workspace)
        self._namespace = namespace
        self._send = send
        self._first = 0
        self._k = -1
        self._files: dict[str, str] = self._look()
        self._child = 0
        self._pipe: int | None = None

    def tidy(self) -> None:
        """Has nothing to tidy."""

    def restore(self, head: int, at_start: bytes | None, exact: bool = True) -> RestoreReport:
        """Brings back what the manifests say."""
        self._may_fail(head)
        state = self._state(head)
        self._first, self._k = head + 1, head
        lost: list[dict[str, Any]] = state.get("lost", [])
        names = pickle.loads(base64.b64decode(state["names"])) if state.get("names") else {}
        fail_point("restore-half-done")
        self._namespace.update(names)
        for name, module in state.get("modules", {}).items():
            self._namespace[name] = importlib.import_module(module)
        self._files = state.get("workspace", {})
        outside = json.loads(at_start)["workspace"] if at_start else {}
        self._write({**self._files, **outside}, exact)
        if (cell := names.get("REPLAY")) is not None:
            with self._replay_tools(cell), self._saying_when_asked():
                self._namespace["replayed"] = bridge.call("replayed", {"of": cell})
        return {
            "head": head,
            "variables": len(names),
            "recomputed": [],
            "unproved": [],
            "lost": lost,
            "notes": [],
            "ms": 1.5,
        }

    @contextlib.contextmanager
    def _saying_when_asked(self) -> Iterator[None]:
        ask = KernelChannel.ask

        def ask_and_say(channel: KernelChannel, header: dict[str, Any], wanted: Callable[[], bool]) -> bool:
            asked = ask(channel, header, wanted)
            (self._folder / "asked").touch()
            return asked

        KernelChannel.ask = ask_and_say  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            KernelChannel.ask = ask  # type: ignore[method-assign]

    def begin(self, k: int, code: str) -> bytes | None:
        """Files that came from outside."""
        files = self._look()
        changed = {path: data for path, data in files.items() if self._files.get(path) != data}
        return json.dumps({"format": 1, "workspace": changed}).encode() if changed else None

    def save(self, k: int, code: str, ms: float, tool_calls: int) -> SaveOutcome:
        """Everything, every time."""
        self._k = k
        self.settle(True)
        how = self._namespace.get("SAVE", "inline")
        if how == "none":
            return Unsaved("The stand-in was asked to fail.")
        data = self._encode()
        if how != "forked":
            self._commit(data)
            return "inline"
        reader, writer = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(reader)
            self._save_in_child(data)
        os.close(writer)
        self._pipe = reader
        return "forked"

    def settle(self, wait: bool) -> Unsaved | None:
        """Learns how the child ended; a failure while nothing runs is made good here."""
        if self._pipe is None:
            return None
        if wait:
            os.read(self._pipe, 1)
        _, status = os.waitpid(self._child, 0)
        os.close(self._pipe)
        self._pipe = None
        if status == 0:
            self._first = self._k if wait else self._k + 1
        elif not wait and not (self._folder / "fails-inline-too").exists():
            self._commit(self._encode())
        return None

    def fd(self) -> int | None:
        """Ends with the child."""
        return self._pipe

    def _save_in_child(self, data: bytes) -> None:
        while True:
            if (self._folder / "child-fails").exists():
                os._exit(1)
            if (self._folder / "child-goes").exists():
                fail_point("forked-save-half")
                self._commit(data)
                os._exit(0)
            time.sleep(0.002)

    def _commit(self, data: bytes) -> None:
        covers = [min(self._first, self._k), self._k]
        self._send({"type": "saved", "k": self._k, "want": "bare", "covers": covers, "full": True}, data)
        with contextlib.suppress(FileNotFoundError):
            (self._folder / "saved-and-dead").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        self._first = self._k + 1

    def _encode(self) -> bytes:
        self._files = self._look()
        names, modules, lost = {}, {}, []
        for name, value in self._namespace.items():
            if name.startswith("__"):
                continue
            if isinstance(value, types.ModuleType):
                modules[name] = value.__name__
                continue
            try:
                pickle.loads(pickle.dumps(value))
                names[name] = value
            except Exception as error:
                lost.append({"name": name, "type": type(value).__name__, "cell": self._k, "message": str(error)})
        packed = base64.b64encode(pickle.dumps(names)).decode()
        state = {"format": 1, "names": packed, "modules": modules, "lost": lost, "workspace": self._files}
        return json.dumps(state).encode()

    def _state(self, k: int) -> dict[str, Any]:
        """The newest whole state at or before manifest `k`, with the files that came after it."""
        later: dict[str, str] = {}
        pointer: int | None = k if k >= 0 else None
        while pointer is not None:
            manifest = read_manifest(str(self._folder / "manifests"), pointer)
            state: dict[str, Any] = json.loads(manifest.state) if manifest.state else {"workspace": {}}
            later = {**state["workspace"], **later}
            if "names" in state:
                return {**state, "workspace": later}
            parent = manifest.header["parent"]
            pointer = parent["k"] if parent else None
        return {"workspace": later}

    def _may_fail(self, head: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            k = int((self._folder / "unrestorable").read_text())
            if head >= k:
                raise Unrestorable(k, f"A segment of cell {k} is damaged.")
        with contextlib.suppress(FileNotFoundError):
            number = int((self._folder / "trouble").read_text())
            raise OSError(number, os.strerror(number))
        with contextlib.suppress(FileNotFoundError):
            left = int((self._folder / "dies").read_text())
            if left:
                (self._folder / "dies").write_text(str(left - 1))
                os._exit(9)
        with contextlib.suppress(FileNotFoundError):
            left = int((self._folder / "hangs").read_text())
            if left:
                (self._folder / "hangs").write_text(str(left - 1))
                signal.pause()

    def _look(self) -> dict[str, str]:
        files = (path for path in self._workspace.rglob("*") if path.is_file() and not path.is_symlink())
        return {
            str(path.relative_to(self._workspace)): base64.b64encode(path.read_bytes()).decode()
            for path in sorted(files)
        }

    def _write(self, wanted: dict[str, str], exact: bool) -> None:
        for path in self._look():
            if exact and path not in wanted:
                (self._workspace / path).unlink()
        for path, data in wanted.items():
            if exact or not (self._workspace / path).exists():
                (self._workspace / path).parent.mkdir(parents=True, exist_ok=True)
                (self._workspace / path).write_bytes(base64.b64decode(data))


_MADE_AS_THE_REAL_ONE: MakeState = SessionState
