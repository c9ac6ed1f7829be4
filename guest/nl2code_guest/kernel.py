"""The kernel: one process, one namespace, one cell after the other. User code shares it.

Its socket leads to the init and nowhere else. It is a fork of the zygote; it leaves with `os._exit`, so nothing of the
zygote runs twice.
"""

from __future__ import annotations

import os
import signal
import socket
from typing import Any, NoReturn

from nl2code_guest.executor import Executor
from nl2code_guest.frames import Frame, FrameReader, encode_frame
from nl2code_guest.interrupt import Guard
from nl2code_guest.namespace import enter_workspace, make_namespace, open_streams
from nl2code_guest.system_calls import be_killed_first, die_with_parent, flush_c_streams, set_dumpable


def start(fds: list[int], workspace: str, init_pid: int) -> NoReturn:
    """Makes this fork a kernel. `fds` are its socket and its two pipes."""
    os.setsid()
    channel, out, err = fds
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    set_dumpable(True)
    be_killed_first()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Kernel(socket.socket(fileno=channel), workspace, init_pid).serve()


class Kernel:
    """The loop that takes cells from the init and says how they ended."""

    def __init__(self, channel: socket.socket, workspace: str, init_pid: int) -> None:
        self._channel = channel
        self._init_pid = init_pid
        self._reader = FrameReader()
        #: Messages read and not yet handled.
        self._inbox: list[Frame] = []
        self._current: int | None = None
        open_streams()
        enter_workspace(workspace)
        self._guard = Guard(self._asked)
        self._executor = Executor(make_namespace(), workspace, self._guard)
        os.register_at_fork(after_in_child=self._in_child)

    def serve(self) -> NoReturn:
        """Runs cells until the init is gone."""
        while True:
            while self._inbox:
                frame = self._inbox.pop(0)
                # An interrupt here is for a cell that has ended.
                if frame.header["type"] == "run":
                    self._run(frame.header)
            data = self._channel.recv(1 << 16)
            if not data:
                os._exit(0)
            self._inbox.extend(self._reader.feed(data))

    def _run(self, message: dict[str, Any]) -> None:
        if self._init_pid:
            # Not at the fork: the parent of that moment was about to end.
            die_with_parent()
            if os.getppid() != self._init_pid:
                os._exit(0)
            self._init_pid = 0
        self._current = message["k"]
        done, attachments = self._executor.run(message["k"], message["code"], message["maxOutputChars"])
        self._current = None
        self._guard.install()
        flush_c_streams()
        self._channel.sendall(encode_frame({"type": "done", **done}, attachments))

    def _asked(self) -> bool:
        """Whether the init has asked for the end of the running cell. Reads the socket, as the idle loop else does."""
        if self._current is None:
            return False
        try:
            while data := self._channel.recv(1 << 16, socket.MSG_DONTWAIT):
                self._inbox.extend(self._reader.feed(data))
        except OSError:
            pass
        asked = any(frame.header == {"type": "interrupt", "k": self._current} for frame in self._inbox)
        self._inbox = [frame for frame in self._inbox if frame.header["type"] != "interrupt"]
        return asked

    def _in_child(self) -> None:
        self._channel.close()
        self._current = None
        signal.signal(signal.SIGINT, signal.default_int_handler)
