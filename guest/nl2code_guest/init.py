"""The first process of a sandbox: it owns the ledger, the streams to the host, the zygote and the kernel.

It never runs user code, never unpickles, and is closed to user code (not dumpable; as pid 1 no signal of a cell has an
effect on it). One loop over a selector; nothing in it blocks and nothing polls. Invariants, each held by a test:
(1) a cell has one result, whatever dies and whatever is asked again (`cells.py`); (2) only the newest stream that said
`hello` is spoken to; (3) a peer that breaks the rules of the wire loses that wire and nothing else; (4) when the
control socket ends, so does everything here.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import signal
import socket
import sys
import time
from typing import NoReturn

from nl2code_guest.cells import Cells
from nl2code_guest.checkpoint import fail_points
from nl2code_guest.frames import PROTOCOL_VERSION, FrameError
from nl2code_guest.host_messages import Exec, Hello, HostMessage, Interrupt, Ping, ToolAnswer
from nl2code_guest.host_stream import HostStream
from nl2code_guest.host_streams import HostStreams
from nl2code_guest.installed import installed_packages
from nl2code_guest.kernel_supply import KernelSupply
from nl2code_guest.ledger import Ledger, LedgerError
from nl2code_guest.options import Options, UsageError, parse_options
from nl2code_guest.system_calls import become_reaper, close_all_but, kill_descendants, set_dumpable
from nl2code_guest.zygote_start import StartedZygote


def main(args: list[str], zygote: StartedZygote | None) -> NoReturn:
    """Runs the init until its control socket ends. Exits 64 on a wrong command line, 1 when it can't start.

    `zygote` was forked for this command line before this module was imported.
    """
    try:
        options = parse_options(args)
        close_all_but((0, 1, 2, options.control_fd, *([zygote.sock.fileno()] if zygote else [])))
        control = socket.socket(fileno=options.control_fd)
        control.set_inheritable(False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        fail_points.arm(options.checkpoint)
        ledger = Ledger(options.checkpoint, options.session, options.durable)
        become_reaper()
        set_dumpable(False)
        Init(options, control, ledger, zygote).run()
    except (UsageError, LedgerError, OSError) as error:
        print(f"nl2code_guest: {error}", file=sys.stderr, flush=True)
        os._exit(64 if isinstance(error, UsageError) else 1)
    kill_descendants()
    os._exit(0)


class Init:
    """The loop: who is heard, and who hears it."""

    def __init__(self, options: Options, control: socket.socket, ledger: Ledger, zygote: StartedZygote | None) -> None:
        self._session = options.session
        self._ledger = ledger
        self._boot_id = os.urandom(8).hex()
        self._packages = installed_packages()
        self._selector = selectors.DefaultSelector()
        self._ended = False
        control.setblocking(False)
        self._control = control
        self._selector.register(control, selectors.EVENT_READ, self._on_control)
        wake, wake_writer = socket.socketpair()
        for end in (wake, wake_writer):
            end.setblocking(False)
        self._wake = (wake, wake_writer)
        self._selector.register(wake, selectors.EVENT_READ, self._on_child)
        self._streams = HostStreams(self._selector, self._on_message, lambda: self._cells.on_stream_gone())
        self._cells = Cells(ledger, self._streams)
        self._supply = KernelSupply(self._selector, options, zygote, ledger, self._cells)
        self._cells.supply = self._supply
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        importlib.import_module("hashlib")

    def run(self) -> None:
        """Serves until the control socket ends."""
        # Of a zygote that has died already nobody has told us.
        self._on_child(0)
        self._supply.begin()
        while not self._ended:
            for key, mask in self._selector.select(self._patience()):
                key.data(mask)
            self._cells.on_time()
            self._supply.on_time()

    def _patience(self) -> float | None:
        """Seconds until the clock asks for something."""
        deadlines = [at for at in (self._cells.deadline(), self._supply.deadline()) if at is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _on_control(self, _mask: int) -> None:
        try:
            data, fds, _flags, _address = socket.recv_fds(self._control, 1, 4, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self._ended = True
        for fd in fds:
            self._streams.open(fd)

    def _on_child(self, _mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake[0].recv(4096):
                pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._supply.on_child(pid, status)

    # --- messages of the host --------------------------------------------------------------------------------------

    def _on_message(self, stream: HostStream, message: HostMessage) -> None:
        if isinstance(message, Hello):
            self._on_hello(stream, message)
        elif isinstance(message, Ping):
            stream.send({"type": "pong", "n": message.n})
        elif stream is not self._streams.current:
            raise FrameError("The first message of a stream is hello.")
        elif isinstance(message, Exec):
            if message.epoch < self._ledger.epoch:
                self._cells.refuse(stream, message.k, "fenced", self._fenced(message.epoch))
            else:
                self._cells.on_exec(stream, message)
        elif isinstance(message, Interrupt):
            self._cells.on_interrupt(message.k)
        elif isinstance(message, ToolAnswer):
            self._cells.on_answer(message)

    def _on_hello(self, stream: HostStream, hello: Hello) -> None:
        if hello.protocol != PROTOCOL_VERSION:
            raise FrameError(f"This guest speaks protocol {PROTOCOL_VERSION}, not {hello.protocol}.")
        if hello.session != self._session:
            raise FrameError(f"This sandbox belongs to session {self._session!r}, not {hello.session!r}.")
        if hello.epoch < self._ledger.epoch:
            self._cells.refuse(stream, -1, "fenced", self._fenced(hello.epoch))
            self._streams.drop(stream)
            return
        with contextlib.suppress(OSError):
            self._ledger.raise_epoch(hello.epoch)
        self._streams.take_over(stream)
        stream.send(
            {
                "type": "welcome",
                "protocol": PROTOCOL_VERSION,
                "bootId": self._boot_id,
                "session": self._session,
                "head": self._ledger.head,
                "running": self._cells.running,
                "python": ".".join(map(str, sys.version_info[:3])),
                "packages": self._packages,
            }
        )

    def _fenced(self, epoch: tuple[int, int]) -> str:
        return f"Epoch {list(epoch)} is older than {list(self._ledger.epoch)}: another attempt has taken over."
