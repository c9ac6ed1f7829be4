"""The process of `saved_session`: runs cells in a namespace and has them saved, as the kernel does it."""

from __future__ import annotations

import base64
import collections
import contextlib
import hashlib
import io
import json
import os
import pickle
import random
import socket
import sys
import time
import traceback
import types
from collections.abc import Iterator
from typing import Any

from nl2code_guest.checkpoint import fail_points, forked_save, recompute, recompute_marker, serialise, session_state
from nl2code_guest.checkpoint.kernel_state import Unrestorable, Unsaved
from nl2code_guest.checkpoint.session_state import SessionState
from nl2code_guest.executor import Executor
from nl2code_guest.interrupt import Guard
from nl2code_guest.namespace import enter_workspace, make_namespace
from nl2code_guest.system_calls import die_with_parent

#: Held here: a cell may patch the modules.
_encode, _decode, _clock = json.JSONEncoder().encode, json.JSONDecoder().decode, time.perf_counter
#: What tools answer, by cell and number of the call; kept on disk as the host keeps it.
_calls: list[Any] = [0, 0, False]


class Kernel:
    """The loop."""

    def __init__(self, sock: socket.socket, saves: socket.socket, options: dict[str, Any]) -> None:
        die_with_parent()
        self._file = sock.makefile("rwb")
        self._saves = saves
        self._folder = options["folder"]
        fail_points.arm(self._folder)
        self.namespace = make_namespace()
        enter_workspace(options["workspace"])
        self._workspace = options["workspace"]
        self._guard = Guard(lambda: False)
        self._executor = Executor(self.namespace, options["workspace"], self._guard)
        self.pickled: collections.Counter[str] = collections.Counter()
        target: Any = serialise
        plain = target.dump

        def counted(names: dict[str, object], namespace: dict[str, Any]) -> Any:
            self.pickled.update(list(names))
            return plain(names, namespace)

        target.dump = counted
        self.state = SessionState(
            self._folder,
            options["workspace"],
            self.namespace,
            durable=options["durable"],
            quota_bytes=options["quota"],
            send=self._send,
            replay_tools=self._replay,
        )
        for name, value in json.loads(os.environ.get("LIMITS", "{}")).items():
            module, _, attribute = name.partition(".")
            setattr(
                {
                    "session_state": session_state,
                    "recompute": recompute,
                    "serialise": serialise,
                    "forked_save": forked_save,
                }[module],
                attribute,
                value,
            )
        if number := int(os.environ.get("MARKER_TROUBLE", "0")):

            def fail(*_args: object) -> None:
                raise OSError(number, os.strerror(number))

            marker: Any = recompute_marker.RecomputeMarker
            marker.write = fail
        sys.modules["toolbox"] = module = types.ModuleType("toolbox")
        module.__dict__.update(ask=self._tool, __spec__=json.__spec__)

    def serve(self) -> None:
        while line := self._file.readline():
            question = _decode(line.decode())
            try:
                answer = getattr(self, "do_" + question.pop("do"))(**question)
            except Unrestorable as error:
                answer = {"unrestorable": error.k, "message": error.message}
            except BaseException:
                answer = {"failed": traceback.format_exc()}
            self._file.write(_encode(answer).encode() + b"\n")
            self._file.flush()

    def do_run(self, k: int, code: str) -> dict[str, Any]:
        changes = self.state.begin(k, code)
        _calls[:] = [k, 0, False]
        output = io.StringIO()
        began = _clock()
        with contextlib.redirect_stdout(output):
            done, _images = self._executor.run(k, code, 10_000)
        ms = (_clock() - began) * 1000
        self._guard.install()
        if done["error"]:
            output.write(done["error"]["type"] + ": " + done["error"]["message"])
        fail_points.fail_point("cell-ran-nothing-saved")
        began = _clock()
        outcome = self.state.save(k, code, ms, _calls[1])
        return {
            "output": output.getvalue(),
            "ended": done["ended"],
            "outcome": {"unsaved": outcome.message} if isinstance(outcome, Unsaved) else outcome,
            "ms": (_clock() - began) * 1000,
            "atStart": base64.b64encode(changes).decode() if changes else None,
        }

    def do_begin(self, k: int, code: str) -> dict[str, Any]:
        self._at_start = self.state.begin(k, code) or b""
        return {}

    def do_at_start(self) -> dict[str, Any]:
        return {"hex": self._at_start.hex()}

    def do_restore(self, head: int, atStart: str | None, exact: bool) -> dict[str, Any]:
        report: dict[str, Any] = self.state.restore(head, base64.b64decode(atStart) if atStart else None, exact)
        return report

    def do_settle(self, wait: bool) -> dict[str, Any]:
        found = self.state.settle(wait)
        return {"unsaved": found.message if found else None, "pending": self.state.fd() is not None}

    def do_tidy(self) -> dict[str, Any]:
        self.state.tidy()
        return {}

    def do_show(self, expression: str) -> dict[str, Any]:
        try:
            return {"text": repr(eval(expression, self.namespace))}
        except Exception as error:
            return {"text": f"{type(error).__name__}: {error}"}

    def do_pickled(self) -> dict[str, int]:
        found = dict(self.pickled)
        self.pickled.clear()
        return found

    def do_digest(self) -> dict[str, str]:
        found = {}
        for name, value in sorted(self.namespace.items()):
            if not name.startswith("__"):
                found[name] = _shown(value, 6)
        for folder, _folders, files in os.walk(self._workspace):
            for name in files:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found["/" + os.path.relpath(path, self._workspace)] = hashlib.sha256(file.read()).hexdigest()
        found["random"] = hashlib.sha256(repr(random.getstate()).encode()).hexdigest()
        if numpy := sys.modules.get("numpy"):
            found["random"] += hashlib.sha256(pickle.dumps(numpy.random.get_state())).hexdigest()
        found["cwd"] = os.getcwd()
        return found

    def _send(self, header: dict[str, Any], state: bytes) -> None:
        self._saves.sendall(_encode({**header, "bytes": len(state)}).encode() + b"\n" + state)

    def _tool(self, question: str) -> str:
        k, number, replay = _calls
        _calls[1] += 1
        path = os.path.join(self._folder, f"tool-{k}-{number}")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                return file.read()
        if replay:
            raise RuntimeError("no record of this call")
        answer = f"{question} answered {random.SystemRandom().random()}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(answer)
        return answer

    @contextlib.contextmanager
    def _replay(self, k: int) -> Iterator[None]:
        before = list(_calls)
        _calls[:] = [k, 0, True]
        try:
            yield
        finally:
            _calls[:] = before


def _shown(value: Any, depth: int) -> str:
    """A value as text: what is equal in content looks equal."""
    kind = type(value)
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if pandas and isinstance(value, pandas.DataFrame | pandas.Series):
        frame = value.to_frame() if isinstance(value, pandas.Series) else value
        return str(frame.dtypes.to_dict()) + hashlib.sha256(frame.to_csv().encode()).hexdigest()
    if numpy and isinstance(value, numpy.ndarray):
        return str(value.dtype) + str(value.shape) + hashlib.sha256(value.tobytes()).hexdigest()
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, types.FunctionType):
        cells = [_shown(cell.cell_contents, depth - 1) for cell in value.__closure__ or ()]
        return f"{value.__qualname__} {hashlib.sha256(value.__code__.co_code).hexdigest()} {cells}"
    if isinstance(value, type):
        return f"class {value.__qualname__} {sorted(name for name in vars(value) if not name.startswith('__'))}"
    if isinstance(value, dict) and depth:
        return "{" + ", ".join(f"{_shown(k, 0)}: {_shown(v, depth - 1)}" for k, v in value.items()) + "}"
    if isinstance(value, set | frozenset):
        return kind.__name__ + str(sorted(map(repr, value)))
    if isinstance(value, list | tuple) and depth:
        return kind.__name__ + "[" + ", ".join(_shown(item, depth - 1) for item in value) + "]"
    if kind.__module__ == "__main__" and depth and hasattr(value, "__dict__"):
        return f"{kind.__qualname__} {_shown(vars(value), depth - 1)}"
    text = repr(value)
    return kind.__name__ if " at 0x" in text else text


if __name__ == "__main__":
    Kernel(
        socket.socket(fileno=int(sys.argv[1])), socket.socket(fileno=int(sys.argv[2])), json.loads(sys.argv[3])
    ).serve()
