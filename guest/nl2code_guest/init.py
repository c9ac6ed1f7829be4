"""The first process of a sandbox: it owns the ledger, the streams to the host, the zygote and the kernel.

It never runs user code and is closed to it (not dumpable; as pid 1 no signal of a cell has an effect on it). One loop
over a selector; nothing in it blocks and nothing polls. Invariants, each held by a test:
(1) a cell runs at most once, whatever dies and whatever is asked again; (2) only the newest stream that said `hello` is
spoken to; (3) a peer that breaks the rules of the wire loses that wire and nothing else; (4) when the control socket
ends, so does everything here.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import selectors
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from nl2code_guest.cell_output import Stream
from nl2code_guest.cell_run import CellRun
from nl2code_guest.frames import PROTOCOL_VERSION, Frame, FrameError
from nl2code_guest.host_messages import Exec, Hello, Interrupt, Ping
from nl2code_guest.host_stream import HostStream
from nl2code_guest.installed import installed_packages
from nl2code_guest.kernel_link import KernelLink
from nl2code_guest.ledger import Ledger, LedgerError
from nl2code_guest.options import Options, UsageError, parse_options
from nl2code_guest.reply import KernelSaid, WireReply
from nl2code_guest.system_calls import become_reaper, close_all_but, kill_descendants, set_dumpable
from nl2code_guest.zygote_link import ZygoteLink
from nl2code_guest.zygote_start import StartedZygote

#: The host's built-in cell.
INSPECTION = "__import__('nl2code_guest.inspection', fromlist=['report']).report()"
_MAX_STREAMS = 8
#: A kernel whose socket has ended is looked at again after this: it is dying, or a cell has closed the socket.
_DEATH_S = 0.5


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
        ledger = Ledger(os.path.join(options.checkpoint, "ledger"), options.session, options.durability == "host")
        become_reaper()
        set_dumpable(False)
        Init(options, control, ledger, zygote).run()
    except (UsageError, LedgerError, OSError) as error:
        print(f"nl2code_guest: {error}", file=sys.stderr, flush=True)
        os._exit(64 if isinstance(error, UsageError) else 1)
    kill_descendants()
    os._exit(0)


class Init:
    """The loop and the rules of the ledger."""

    def __init__(self, options: Options, control: socket.socket, ledger: Ledger, zygote: StartedZygote | None) -> None:
        self._options = options
        self._ledger = ledger
        self._boot_id = os.urandom(8).hex()
        self._packages = installed_packages()
        self._selector = selectors.DefaultSelector()
        self._streams: list[HostStream] = []
        self._current: HostStream | None = None
        self._cell: CellRun | None = None
        #: Whether the current stream asked for the running cell.
        self._watched = False
        self._kernel: KernelLink | None = None
        #: Whether variables of earlier cells are gone and no cell was told yet, however many kernels came since.
        self._lost = ledger.head >= 0
        self._forks = 0
        self._ended = False

        control.setblocking(False)
        self._control = control
        self._selector.register(control, selectors.EVENT_READ, self._on_control)
        wake, wake_writer = socket.socketpair()
        for end in (wake, wake_writer):
            end.setblocking(False)
        self._wake = (wake, wake_writer)
        self._selector.register(wake, selectors.EVENT_READ, self._on_child)
        self._zygote = ZygoteLink(self._selector, options.warm, options.workspace, zygote, self._on_zygote)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake_writer.fileno(), warn_on_full_buffer=False)
        importlib.import_module("hashlib")

    def run(self) -> None:
        """Serves until the control socket ends."""
        # Of a zygote that has died already nobody has told us.
        self._on_child(0)
        while not self._ended:
            for key, mask in self._selector.select(self._patience()):
                key.data(mask)
            self._on_time()

    def _patience(self) -> float | None:
        """Seconds until the clock asks for something."""
        deadlines = (self._cell.deadline() if self._cell else None, self._kernel.doomed_at if self._kernel else None)
        nearest = min((deadline for deadline in deadlines if deadline is not None), default=None)
        return None if nearest is None else max(0.0, nearest - time.monotonic())

    # --- streams ---------------------------------------------------------------------------------------------------

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
            self._open_stream(fd)

    def _open_stream(self, fd: int) -> None:
        try:
            sock = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            return
        stream = HostStream(sock, self._selector, self._on_message, self._on_stream_end)
        self._streams.append(stream)
        silent = [other for other in self._streams if other is not self._current]
        if len(silent) > _MAX_STREAMS:
            self._drop(silent[0])

    def _drop(self, stream: HostStream) -> None:
        stream.close()
        self._on_stream_end(stream)

    def _on_stream_end(self, stream: HostStream) -> None:
        if stream in self._streams:
            self._streams.remove(stream)
        if stream is self._current:
            self._current = None
            self._watched = False

    def _to_host(self, data: bytes) -> None:
        if self._current and self._watched:
            self._current.send_bytes(data)

    # --- messages of the host --------------------------------------------------------------------------------------

    def _on_message(self, stream: HostStream, message: Hello | Exec | Interrupt | Ping) -> None:
        if isinstance(message, Hello):
            self._on_hello(stream, message)
        elif isinstance(message, Ping):
            stream.send({"type": "pong", "n": message.n})
        elif stream is not self._current:
            raise FrameError("The first message of a stream is hello.")
        elif isinstance(message, Exec):
            self._on_exec(stream, message)
        elif self._cell and message.k == self._cell.k:
            self._interrupt_for(self._cell, "interrupted")

    def _on_hello(self, stream: HostStream, hello: Hello) -> None:
        if hello.protocol != PROTOCOL_VERSION:
            raise FrameError(f"This guest speaks protocol {PROTOCOL_VERSION}, not {hello.protocol}.")
        if hello.session != self._options.session:
            raise FrameError(f"This sandbox belongs to session {self._options.session!r}, not {hello.session!r}.")
        if hello.epoch < self._ledger.epoch:
            self._refuse(stream, -1, "fenced", self._fenced(hello.epoch))
            self._drop(stream)
            return
        with contextlib.suppress(OSError):
            self._ledger.raise_epoch(hello.epoch)
        if self._current and self._current is not stream:
            self._drop(self._current)
        self._current = stream
        self._watched = False
        stream.send(
            {
                "type": "welcome",
                "protocol": PROTOCOL_VERSION,
                "bootId": self._boot_id,
                "session": self._options.session,
                "head": self._ledger.head,
                "running": self._cell.k if self._cell else None,
                "python": ".".join(map(str, sys.version_info[:3])),
                "packages": self._packages,
            }
        )

    def _on_exec(self, stream: HostStream, wanted: Exec) -> None:
        k, head = wanted.k, self._ledger.head
        if wanted.epoch < self._ledger.epoch:
            self._refuse(stream, k, "fenced", self._fenced(wanted.epoch))
        elif self._cell and (k, wanted.sha) == (self._cell.k, self._cell.sha):
            self._watched = True
            for frame in self._cell.output.frames:
                stream.send_bytes(frame)
        elif self._cell and k == self._cell.k + 1:
            self._refuse(stream, k, "busy", f"Cell {self._cell.k} is still running.")
        elif self._cell is None and self._ledger.answers(k, wanted.sha):
            stream.send_bytes(self._ledger.stored())
        elif self._cell is None and k == head + 1:
            self._cell = CellRun(wanted)
            self._watched = True
            self._run_cell()
        else:
            self._refuse(stream, k, "conflict", f"Cell {k} does not follow: the last finished cell is {head}.")

    def _refuse(self, stream: HostStream, k: int, code: str, message: str) -> None:
        stream.send({"type": "refused", "k": k, "code": code, "head": self._ledger.head, "message": message})

    def _fenced(self, epoch: tuple[int, int]) -> str:
        return f"Epoch {list(epoch)} is older than {list(self._ledger.epoch)}: another attempt has taken over."

    # --- the cell --------------------------------------------------------------------------------------------------

    def _run_cell(self) -> None:
        """Gives the waiting cell to the kernel, or asks for a kernel."""
        cell = self._cell
        if cell is None or cell.running:
            return
        if self._kernel is None:
            self._ask_for_kernel(_wanted_imports(cell.code))
            return
        if self._kernel.pid is None or self._kernel.is_dead():
            # Its birth or its death is seen soon, and this cell looked at again.
            return
        fresh = self._lost
        try:
            self._ledger.start(cell.k, cell.sha, cell.epoch, fresh)
        except OSError as error:
            self._give_up(f"The ledger can't be written: {error.strerror}.")
            return
        self._lost = False
        # What lies in the pipes was written between the cells.
        self._kernel.drain()
        self._kernel.used = True
        self._kernel.pristine = self._kernel.pristine and cell.code == INSPECTION
        cell.begin(fresh)
        self._kernel.send({"type": "run", "k": cell.k, "code": cell.code, "maxOutputChars": cell.max_output_chars})
        if cell.asked_to_end:
            self._kernel.interrupt(cell.k)

    def _give_up(self, message: str) -> None:
        """Tells the host that the waiting cell was not started; nothing was recorded."""
        cell, self._cell = self._cell, None
        if cell and self._current and self._watched:
            self._refuse(self._current, cell.k, "busy", message)

    def _finish(self, reply: WireReply, attachments: list[bytes]) -> None:
        cell, self._cell = self._cell, None
        assert cell is not None
        done = self._ledger.finish(cell.k, cell.sha, reply, attachments)
        self._to_host(done)

    def _interrupt_for(self, cell: CellRun, reason: Any) -> None:
        if cell.ask_to_end(reason) and cell.running and self._kernel:
            self._kernel.interrupt(cell.k)

    def _on_time(self) -> None:
        cell, kernel = self._cell, self._kernel
        if kernel is None:
            return
        due = cell.due() if cell else None
        if cell and due == "interrupt":
            kernel.interrupt(cell.k)
        elif due == "kill":
            kernel.kill()
        if kernel.doomed_at is not None and kernel.doomed_at <= time.monotonic():
            if kernel.is_dying():
                # Its socket is closed before its end is told, and on a busy machine long before.
                kernel.doomed_at = time.monotonic() + _DEATH_S
            else:
                kernel.end_as_broken()

    # --- the kernel ------------------------------------------------------------------------------------------------

    def _ask_for_kernel(self, want: str) -> None:
        self._forks += 1
        kernel = KernelLink(self._selector, self._on_kernel, self._on_kernel_wire_end, self._on_output)
        try:
            self._zygote.fork(self._forks, want, kernel.handover)
        except OSError:
            # The zygote has just died; its successor is asked when its death was seen.
            kernel.close()
            return
        kernel.handed_over()
        kernel.early = not self._zygote.idle
        self._kernel = kernel

    def _renew_kernel(self) -> None:
        """Replaces a kernel that was forked early for the look at the inputs by one that has everything imported."""
        kernel = self._kernel
        if kernel and kernel.pid and kernel.early and kernel.pristine and self._zygote.idle and self._cell is None:
            kernel.kill()
            kernel.close()
            self._kernel = None
            self._ask_for_kernel(self._options.warm)

    def _on_kernel(self, frame: Frame) -> None:
        cell, kernel = self._cell, self._kernel
        if kernel is None:
            return
        if frame.header["type"] != "done" or cell is None or not cell.running:
            raise FrameError("The kernel spoke out of turn.")
        kernel.drain()
        said = KernelSaid(frame.header, frame.body)
        reply = cell.reply(said)
        reply["stdout"], reply["stderr"] = cell.output.end(self._to_host)
        self._finish(reply, said.attachments)
        self._renew_kernel()

    def _on_kernel_wire_end(self, error: FrameError | None) -> None:
        if self._kernel and error:
            self._kernel.end_as_broken()
        elif self._kernel:
            # Most likely its death, which is seen in a moment. If not, a cell has closed the socket.
            self._kernel.doomed_at = time.monotonic() + _DEATH_S

    def _on_output(self, stream: Stream, data: bytes) -> None:
        cell = self._cell
        if cell and cell.running:
            cell.output.take(stream, data, self._to_host)
            if cell.output.too_much:
                self._interrupt_for(cell, "output")

    def _on_kernel_death(self, status: int) -> None:
        kernel = self._kernel
        assert kernel is not None
        kernel.read_messages()
        kernel.drain()
        cell = self._cell
        if cell and cell.running:
            reply = cell.died(status, kernel.broken)
            reply["stdout"], reply["stderr"] = cell.output.end(self._to_host)
            self._finish(reply, [])
        self._lost = self._lost or kernel.used
        kernel.close()
        self._kernel = None
        kill_descendants(spare=(self._zygote.pid,))
        self._run_cell()
        if self._kernel is None:
            self._ask_for_kernel(self._options.warm)

    # --- children --------------------------------------------------------------------------------------------------

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
            if self._kernel and pid == self._kernel.pid:
                self._on_kernel_death(status)
            elif pid == self._zygote.pid:
                self._on_zygote_death()

    def _on_zygote(self, message: dict[str, Any]) -> None:
        waited_for = self._kernel and self._kernel.pid is None and message.get("number") == self._forks
        if "pid" in message and waited_for and self._kernel:
            self._kernel.pid = message["pid"]
            self._run_cell()
        elif "pid" in message:
            with contextlib.suppress(ProcessLookupError):
                os.kill(message["pid"], signal.SIGKILL)
        elif "failed" in message and waited_for and self._kernel:
            self._kernel.close()
            self._kernel = None
            self._give_up(f"A kernel can't be started: {message['failed']}.")
        elif self._zygote.idle and self._kernel is None:
            self._ask_for_kernel(self._options.warm)
        elif self._zygote.idle:
            self._renew_kernel()

    def _on_zygote_death(self) -> None:
        self._zygote.replace()
        if self._kernel and self._kernel.pid is None:
            self._kernel.close()
            self._kernel = None
        self._run_cell()


def _wanted_imports(code: str) -> str:
    """What a kernel should have imported before this cell: waiting for it is quicker than importing it again."""
    if re.search(r"\b(sklearn|scipy|matplotlib)\b", code):
        return "all"
    return "data" if re.search(r"\b(numpy|pandas|pyarrow|inspection)\b", code) else "bare"
