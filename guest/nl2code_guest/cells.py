"""The cells: what the host asks for, what the kernel says, and the one result that comes of it.

Owns the cell that runs or waits. The ledger owns results, the supply the kernel. Invariants, each held by a test:
(1) a cell has one result, whatever dies and whatever is asked again; (2) a cell whose kernel died runs again from the
state before it, at most as often as it may, deaths of the whole sandbox counted; (3) a cell that was asked to end, or
that ignored it, is not run again; (4) a result is told after it was committed, or with the word that it is not;
(5) a call of a tool reaches the host only when what came before its cell is saved, or can't be; (6) no cell begins with
two states on their way, and the time that it waits is none of its own.
"""

from __future__ import annotations

import contextlib
import re
from typing import Literal

from nl2code_guest.cell_output import Stream
from nl2code_guest.cell_run import LONG_SAVE_S, SAVE_S, CellRun
from nl2code_guest.checkpoint.fail_points import fail_point
from nl2code_guest.frames import Frame, FrameError, encode_frame
from nl2code_guest.host_messages import Exec, ToolAnswer
from nl2code_guest.host_stream import HostStream
from nl2code_guest.host_streams import HostStreams
from nl2code_guest.kernel_supply import KernelSupply
from nl2code_guest.ledger import Ledger, Result, State
from nl2code_guest.options import WARM
from nl2code_guest.reply import KernelSaid, WireReply
from nl2code_guest.tool_calls import ToolCalls

#: The host's built-in cell.
INSPECTION = "__import__('nl2code_guest.inspection', fromlist=['report']).report()"
#: With so many states on their way no cell begins.
MOST_PENDING = 2
_SANDBOX_ENDED = "The sandbox ended while this cell ran."


class Cells:
    """The cell that runs or waits, and the rule of `exec`."""

    def __init__(self, ledger: Ledger, streams: HostStreams) -> None:
        self._ledger = ledger
        self._streams = streams
        self._calls = ToolCalls()
        self._cell: CellRun | None = None
        #: Set by who makes both.
        self.supply: KernelSupply

    @property
    def running(self) -> int | None:
        """The cell that runs or waits."""
        return self._cell.k if self._cell else None

    # --- the host --------------------------------------------------------------------------------------------------

    def on_exec(self, stream: HostStream, wanted: Exec) -> None:
        """The host wants cell `k` run, or its result."""
        k, ledger, cell = wanted.k, self._ledger, self._cell
        if cell and (k, wanted.sha) == (cell.k, cell.sha):
            self._streams.watching = True
            for frame in cell.frames():
                stream.send_bytes(frame)
            self._send_calls()
        elif cell and k == cell.k + 1:
            self.refuse(stream, k, "busy", f"Cell {cell.k} is still running.")
        elif cell is None and ledger.answers(k, wanted.sha):
            stream.send_bytes(ledger.stored())
        elif cell is None and k == ledger.head + 1:
            self._take(stream, wanted)
        else:
            self.refuse(stream, k, "conflict", f"Cell {k} does not follow: the last finished cell is {ledger.head}.")

    def _take(self, stream: HostStream, wanted: Exec) -> None:
        given_up = self._ledger.runs(wanted.k, wanted.sha) >= wanted.max_runs
        if blocked := self._ledger.blocked():
            self.refuse(stream, wanted.k, "busy", blocked)
            return
        if given_up and self._ledger.is_pending:
            self.refuse(stream, wanted.k, "busy", f"The state before cell {wanted.k} is still being saved.")
            return
        self._cell = CellRun(wanted)
        self._calls.next_cell()
        self._streams.watching = True
        if given_up:
            self._give_up()
        else:
            self.on_kernel_ready()
            # A kernel that restores ahead of any host may have asked already.
            self._send_calls()

    def on_interrupt(self, k: int) -> None:
        """The host wants cell `k` to end."""
        if self._cell and self._cell.k == k:
            self._end("interrupted")

    def on_answer(self, answer: ToolAnswer) -> None:
        """The host answers a call. Raises FrameError when nobody had asked."""
        message = self._calls.answer(answer, self._cell.k if self._cell else self._ledger.head)
        if message and self.supply.kernel:
            self.supply.kernel.send(message)
            self.supply.heard_of_host()

    def on_stream_gone(self) -> None:
        """The current stream has ended, or says nothing of a cell any more."""
        self._calls.unsend()
        self._mind_clock()

    def refuse(self, stream: HostStream, k: int, code: str, message: str) -> None:
        """Says that what was asked for is not done."""
        stream.send({"type": "refused", "k": k, "code": code, "head": self._ledger.head, "message": message})

    # --- running ---------------------------------------------------------------------------------------------------

    def wanted_imports(self) -> str | None:
        """What a kernel should have imported before the cell: waiting for it is quicker than importing it again."""
        if self._cell is None:
            return None
        if re.search(r"\b(sklearn|scipy|matplotlib)\b", self._cell.code):
            return "all"
        return "data" if re.search(r"\b(numpy|pandas|pyarrow|inspection)\b", self._cell.code) else "bare"

    def on_kernel_ready(self) -> None:
        """Gives the waiting cell to the kernel, or asks for one."""
        cell, kernel = self._cell, self.supply.kernel
        if cell is None or cell.running:
            return
        if self._ledger.pending >= MOST_PENDING:
            # The kernel saves what the last cell left when its child has ended, so no other may change that before.
            # Every state that comes, and the word that none does, is a reason to look again.
            return
        if kernel is None or not kernel.ready:
            # Its birth, its death or the end of its restore is seen soon, and this cell looked at again.
            self.supply.need()
            return
        try:
            run = self._ledger.start(cell.k, cell.sha, cell.epoch)
        except OSError as error:
            self._refuse_cell("busy", f"The ledger can't be written: {error.strerror}.")
            return
        # What lies in the pipes was written between the cells.
        kernel.drain()
        self.supply.cell_begins(pristine=cell.code == INSPECTION)
        cell.report = self.supply.take_report() or cell.report
        cell.begin(run)
        if run > 1:
            why = (
                f"{cell.again or _SANDBOX_ENDED} It runs again from the state before it (run {run} of {cell.max_runs})."
            )
            cell.preface = encode_frame({"type": "again", "k": cell.k, "run": run, "message": why})
            self._streams.to_watcher(cell.preface)
        kernel.send(
            {"type": "run", "k": cell.k, "run": run, "code": cell.code, "maxOutputChars": cell.max_output_chars}
        )
        if cell.asked_to_end:
            kernel.interrupt(cell.k)

    def on_no_kernel(self, message: str) -> None:
        """The waiting cell was not started; nothing was recorded of it."""
        if self._cell and not self._cell.running:
            self._refuse_cell("busy", message)

    def on_head_moved(self) -> None:
        """The ledger fell back: the waiting cell does not follow any more."""
        cell, head = self._cell, self._ledger.head
        if cell and cell.k != head + 1:
            self._refuse_cell("conflict", f"Cell {cell.k} does not follow any more: {head} is the last that is saved.")

    def _refuse_cell(self, code: str, message: str) -> None:
        cell, self._cell = self._cell, None
        if cell and self._streams.current and self._streams.watching:
            self.refuse(self._streams.current, cell.k, code, message)

    def _end(self, reason: Literal["interrupted", "output"]) -> None:
        cell, kernel = self._cell, self.supply.kernel
        if cell and not cell.saving and cell.ask_to_end(reason) and cell.running and kernel:
            kernel.interrupt(cell.k)

    def deadline(self) -> float | None:
        """When `on_time` has the next thing to do, on the monotonic clock."""
        return self._cell.deadline() if self._cell else None

    def on_time(self) -> None:
        """Does what the clock asks for."""
        cell, kernel = self._cell, self.supply.kernel
        due = cell.due() if cell else None
        if cell and kernel and due == "interrupt":
            kernel.interrupt(cell.k)
        elif kernel and due == "kill":
            kernel.kill()

    # --- the kernel ------------------------------------------------------------------------------------------------

    def on_kernel_frame(self, frame: Frame) -> None:
        """The kernel said something. Raises FrameError when it spoke out of turn."""
        cell, kernel, kind = self._cell, self.supply.kernel, frame.header["type"]
        assert kernel is not None
        running = cell is not None and cell.running and not cell.saving
        if kind == "tool":
            self._on_call(frame)
        elif kind == "save-over" and kernel.restoring_since is None:
            kernel.read_states()
            self._ledger.no_more_states()
            self._send_calls()
            self.on_kernel_ready()
        elif kind == "starting" and cell and running:
            # On a full disk the cell runs all the same: a second run of it would miss these changes.
            with contextlib.suppress(OSError):
                self._ledger.note_at_start(cell.k, frame.body)
            kernel.send({"type": "go", "k": cell.k})
        elif kind == "ran" and cell and running:
            kernel.drain()
            cell.ended(self._streams.to_watcher, LONG_SAVE_S if self._ledger.is_pending else SAVE_S)
            self._calls.end()
        elif kind == "done" and cell and cell.saving:
            kernel.read_states()
            self._on_done(cell, KernelSaid(frame.header, frame.body))
        else:
            raise FrameError("The kernel spoke out of turn.")

    def _on_call(self, frame: Frame) -> None:
        cell, kernel = self._cell, self.supply.kernel
        replay = kernel is not None and kernel.restoring_since is not None
        if not replay and (cell is None or not cell.running or cell.saving):
            raise FrameError("A tool is called while no cell runs.")
        self._calls.ask(frame, cell.k if cell else self._ledger.head + 1, replay)
        self._send_calls()

    def _send_calls(self) -> None:
        if self._cell and self._streams.watching and not self._ledger.is_pending:
            self._calls.send(self._streams.to_watcher)
        self._mind_clock()

    def _mind_clock(self) -> None:
        if self._cell and self._cell.running and not self._cell.saving:
            self._cell.stand_still(self._calls.held)

    def awaits_host(self) -> bool:
        """Whether a call waits for its answer."""
        return self._calls.waiting

    def on_output(self, stream: Stream, data: bytes) -> None:
        """The kernel, or what it started, wrote something."""
        cell = self._cell
        if cell and cell.running and not cell.saving:
            cell.output.take(stream, data, self._streams.to_watcher)
            if cell.output.too_much:
                self._end("output")

    def on_state(self, frame: Frame) -> None:
        """The kernel, or its child, sent the state after a cell. Raises FrameError when it is malformed."""
        state = _state(frame)
        cell = self._cell
        if cell and cell.running and state.k == cell.k:
            cell.state = state
        elif state.k > self._ledger.saved and self._ledger.take(state):
            self._streams.tell({"type": "saved", "k": state.k})
        self._send_calls()
        self.on_kernel_ready()

    def _on_done(self, cell: CellRun, said: KernelSaid) -> None:
        if said.saving == "inline" and cell.state is None:
            raise FrameError("The kernel says that it has saved, and has sent nothing.")
        reply = cell.reply(said)
        result = Result(cell.k, cell.sha, cell.code, reply, said.attachments, said.saving == "forked")
        self._ledger.finish(result, None if said.saving == "none" else cell.state)
        self._tell()
        self.supply.renew()

    def on_kernel_gone(self) -> None:
        """Its calls are answered by nobody; the next kernel makes them anew."""
        self._calls.end()

    def on_kernel_death(self, status: int, broken: bool) -> None:
        """The kernel has ended; everything it said has been heard."""
        cell = self._cell
        if cell and cell.running:
            how = cell.death(status, broken)
            if cell.runs_again():
                cell.again_from_start(how)
                self._ledger.forget_unsaved()
                self.on_head_moved()
            else:
                cell.close_output(self._streams.to_watcher)
                self._finish_without_effects(cell, cell.died_reply(how))
        else:
            self._ledger.forget_unsaved()
            self.on_head_moved()

    def _give_up(self) -> None:
        """The waiting cell has ended the sandbox too often to be run."""
        cell = self._cell
        assert cell is not None
        reply = cell.lost_reply(self._ledger.runs(cell.k, cell.sha))
        if self._ledger.is_saved:
            self._finish_without_effects(cell, reply)
            # What it holds is the state of the cell before.
            self.supply.replace()
        else:
            self._ledger.finish(Result(cell.k, cell.sha, cell.code, reply, []), None)
            self._tell()

    def _finish_without_effects(self, cell: CellRun, reply: WireReply) -> None:
        if self._ledger.finish_without_effects(Result(cell.k, cell.sha, cell.code, reply, [])):
            self._tell()
        else:
            self.on_head_moved()

    def _tell(self) -> None:
        """The cell is over: the host hears what the ledger has of it."""
        fail_point("manifest-renamed-reply-not-sent")
        self._cell = None
        self._ledger.notes = []
        self._streams.to_watcher(self._ledger.told())


def _state(frame: Frame) -> State:
    header = frame.header
    k, covers, want = header.get("k"), header.get("covers"), header.get("want")
    if header["type"] != "saved" or type(k) is not int or want not in WARM:
        raise FrameError("A state is malformed.")
    if not isinstance(covers, list) or len(covers) != 2 or not all(type(n) is int and 0 <= n <= k for n in covers):
        raise FrameError("A state covers no cells.")
    return State(k, covers[0], str(want), header.get("full") is True, frame.body)
