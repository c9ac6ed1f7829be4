"""The bridge for a program that a cell runs in an interpreter of its own (`%%python`) and waits for.

The kernel's side serves a socket while it waits; the program's side finds it through its environment. The calls are the
cell's: numbered and answered as its own.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

from nl2code_guest import bridge
from nl2code_guest.frames import FrameReader, encode_frame

#: Descriptor of the socket and the pid of the process that serves it: what a child inherits is not for its children.
_VARIABLE = "NL2CODE_BRIDGE"
_READ_BYTES = 1 << 16
_LOOK_S = 0.05
_LAST_WORDS_S = 0.25

_turn = threading.Lock()


def run_program(command: Sequence[str], env: dict[str, str]) -> int:
    """Runs a program to its end and answers its calls meanwhile. Returns its exit code.

    An interrupt ends the program.
    """
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with mine:
        with its:
            variables = {**env, _VARIABLE: f"{its.fileno()}:{os.getpid()}"}
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=variables, pass_fds=(its.fileno(),))
        with process:
            try:
                _serve(mine, process)
                return process.wait()
            except KeyboardInterrupt:
                # It got the signal too, and may say where it was.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LAST_WORDS_S)
                raise
            finally:
                process.kill()


def _serve(sock: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Answers until the program is gone, or has closed the socket."""
    reader = FrameReader(max_body=0)
    with sock, selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        while process.poll() is None:
            # A child of the program may hold the socket open after its end.
            if not selector.select(_LOOK_S):
                continue
            try:
                data = sock.recv(_READ_BYTES)
                if not data:
                    return
                for header, _body in reader.feed(data):
                    answer = bridge.ask(str(header.get("name")), _object(header.get("args")))
                    sock.sendall(encode_frame({"type": "answer", "answer": list(answer)}))
            except (OSError, ValueError):
                return


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def ask(name: str, args: dict[str, Any]) -> bridge.ToolResult:
    """Asks the cell that waits for this program.

    Raises:
        RuntimeError: No cell waits for this process.
    """
    fd, _, kernel = os.environ.get(_VARIABLE, "").partition(":")
    if not fd.isdecimal() or kernel != str(os.getppid()):
        raise RuntimeError(bridge.OUTSIDE)
    with _turn:
        sock = socket.socket(fileno=int(fd))
        try:
            sock.sendall(encode_frame({"type": "call", "name": name, "args": args}))
            reader = FrameReader()
            while data := sock.recv(_READ_BYTES):
                for header, _body in reader.feed(data):
                    return bridge.ToolResult(*header["answer"])
        finally:
            sock.detach()
    raise RuntimeError(bridge.OUTSIDE)
