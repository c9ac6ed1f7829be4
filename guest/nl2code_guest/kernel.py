"""The kernel: one process, one namespace, one cell after the other. User code shares it.

Its two sockets lead to the init and nowhere else: one for messages, one for the states of its session. It is a fork of
the zygote; it leaves with `os._exit`, so nothing of the zygote runs twice. What of a cell has to outlive it is found
and written by `SessionState`, here and in children of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from nl2code_guest import bridge
from nl2code_guest.bridge import ToolCall, ToolResult
from nl2code_guest.checkpoint import fail_points
from nl2code_guest.checkpoint.fail_points import fail_point
from nl2code_guest.checkpoint.kernel_state import MakeState, Unrestorable, Unsaved
from nl2code_guest.checkpoint.machine_trouble import is_passing
from nl2code_guest.checkpoint.session_state import SessionState
from nl2code_guest.executor import Executor
from nl2code_guest.frames import Frame
from nl2code_guest.interrupt import Guard
from nl2code_guest.kernel_channel import KernelChannel
from nl2code_guest.namespace import enter_workspace, make_namespace, open_streams
from nl2code_guest.options import Options
from nl2code_guest.saves import send_state
from nl2code_guest.system_calls import be_killed_first, die_with_parent, flush_c_streams, set_dumpable


@contextlib.contextmanager
def _replayed(k: int) -> Iterator[None]:
    """Tools answer as they did when cell `k` ran."""
    bridge.begin(k, replay=True)
    try:
        yield
    finally:
        bridge.end()


#: A kernel that hears nothing for so long uses the time.
_IDLE_S = 1.0
_ENDED = ToolResult(ok=False, type="ToolError", message="The cell has ended, so nobody waits for the tool's answer.")


def start(fds: list[int], options: Options, init_pid: int) -> NoReturn:
    """Makes this fork a kernel. `fds` are its socket, its two pipes and the socket for states."""
    os.setsid()
    channel, out, err, saves = fds
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    set_dumpable(True)
    be_killed_first()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fail_points.arm(options.checkpoint)
    Kernel(socket.socket(fileno=channel), socket.socket(fileno=saves), options, init_pid).serve()


class Kernel:
    """The loop that takes cells from the init and says how they ended."""

    def __init__(self, channel: socket.socket, saves: socket.socket, options: Options, init_pid: int) -> None:
        self._channel = KernelChannel(channel)
        self._saves = saves
        self._init_pid = init_pid
        self._first_parent = os.getppid()
        self._current: int | None = None
        #: Whether a child that is forked now is one that saves.
        self._saving = False
        #: Whether the init was told that the child that saves has ended.
        self._save_over = False
        open_streams()
        enter_workspace(options.workspace)
        self._guard = Guard(self._asked)
        namespace = make_namespace()
        self._executor = Executor(namespace, options.workspace, self._guard)
        make: MakeState = SessionState
        self._state = make(
            options.checkpoint,
            options.workspace,
            namespace,
            durable=options.durable,
            quota_bytes=options.quota_bytes,
            send=lambda header, state: send_state(saves, header, state),
            replay_tools=_replayed,
        )
        bridge.install(self._call_tool)
        os.register_at_fork(after_in_child=self._in_child)

    def serve(self) -> NoReturn:
        """Runs cells until the init is gone."""
        tidy = True
        while True:
            saving = self._state.fd()
            frame = self._channel.next(saving, _IDLE_S if saving is None and not tidy else None)
            if self._init_pid:
                self._stay_with_init()
            if frame is None and saving is None:
                if self._settle() is not None:
                    # A cell has closed what the child tells by.
                    self._channel.send({"type": "save-over"})
                self._state.tidy()
                tidy = True
            elif frame is None:
                self._settle()
                if self._state.fd() is not None:
                    # What waited for that child is large too.
                    continue
                self._channel.send({"type": "save-over"})
            elif frame.header["type"] == "run":
                self._run(frame.header)
                tidy = False
            elif frame.header["type"] == "restore":
                self._restore(frame)
                tidy = False

    def _stay_with_init(self) -> None:
        # The parent of the moment of the fork was about to end.
        while os.getppid() == self._first_parent != self._init_pid:
            time.sleep(0.0002)
        die_with_parent()
        if os.getppid() != self._init_pid:
            os._exit(0)
        self._init_pid = 0

    def _restore(self, frame: Frame) -> None:
        try:
            report = self._state.restore(frame.header["head"], frame.body or None, frame.header["exact"])
        except Unrestorable as error:
            self._channel.send({"type": "unrestorable", "k": error.k, "message": error.message})
            return
        except OSError as error:
            why = error.strerror or str(error)
            if is_passing(error) or frame.header["head"] < 0:
                self._channel.send({"type": "unready", "message": why})
            else:
                message = f"What was saved with cell {frame.header['head']} can't be brought back: {why}."
                self._channel.send({"type": "unrestorable", "k": frame.header["head"], "message": message})
            return
        self._guard.install()
        self._channel.send({"type": "restored", "report": report})

    def _run(self, message: dict[str, Any]) -> None:
        k, code = message["k"], message["code"]
        with self._forking_to_save():
            changes = self._state.begin(k, code)
        if changes is not None:
            self._channel.send({"type": "starting", "k": k}, (changes,))
            while (frame := self._channel.next()) is None or frame.header["type"] != "go":
                pass
        self._save_over = False
        bridge.begin(k)
        self._current = k
        began = time.perf_counter()
        done, attachments = self._executor.run(k, code, message["maxOutputChars"])
        ms = (time.perf_counter() - began) * 1000
        self._current = None
        calls = bridge.end()
        self._channel.forget()
        self._guard.install()
        flush_c_streams()
        self._channel.send({"type": "ran", "k": k})
        fail_point("cell-ran-nothing-saved")
        done["saving"], done["unsaved"] = self._save(k, code, ms, calls)
        self._channel.send({"type": "done", "k": k, **done}, attachments)

    def _save(self, k: int, code: str, ms: float, calls: int) -> tuple[str, str | None]:
        with self._forking_to_save():
            outcome = self._state.save(k, code, ms, calls)
        self._guard.install()
        return ("none", outcome.message) if isinstance(outcome, Unsaved) else (outcome, None)

    def _settle(self) -> Unsaved | None:
        with self._forking_to_save():
            return self._state.settle(False)

    @contextlib.contextmanager
    def _forking_to_save(self) -> Iterator[None]:
        """A child that is forked now saves, so it keeps the socket for states."""
        self._saving = True
        try:
            yield
        finally:
            self._saving = False

    def _asked(self) -> bool:
        """Whether the init has asked for the end of the running cell."""
        return self._current is not None and self._channel.interrupted(self._current)

    def _call_tool(self, call: ToolCall) -> ToolResult:
        """Asks the host, for whatever thread of the cell; ends with the cell."""
        fail_point("before-tool-call")

        def wanted() -> bool:
            return call.replay or self._current == call.k

        if not self._channel.ask({"type": "tool", **call._asdict()}, wanted):
            return _ENDED
        while True:
            forked = None if self._save_over or call.replay else self._state.fd()
            answer = self._channel.answer((call.k, call.call), forked, wanted)
            if isinstance(answer, dict):
                fail_point("tool-answered")
                error = answer.get("error") or {"type": "", "message": ""}
                return ToolResult(answer["ok"], answer.get("value"), error["type"], error["message"])
            if not wanted():
                return _ENDED
            if answer:
                # The call waits for a save that may not come any more.
                self._save_over = self._channel.ask({"type": "save-over"}, wanted)

    def _in_child(self) -> None:
        self._channel.close()
        if not self._saving:
            self._saves.close()
        self._current = None
        signal.signal(signal.SIGINT, signal.default_int_handler)
