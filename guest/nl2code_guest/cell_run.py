"""One cell from its `exec` to its reply, as the init sees it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Literal

from nl2code_guest.cell_output import MAX_OUTPUT_BYTES, CellOutput
from nl2code_guest.host_messages import Exec
from nl2code_guest.ledger import State
from nl2code_guest.reply import KernelSaid, WireReply, died_reply
from nl2code_guest.restore_report import RestoreReport
from nl2code_guest.texts import WireText

#: A cell that goes on after the interrupt gets a second one, then its kernel is killed. Seconds after the first.
SECOND_INTERRUPT_S = 2.0
KILL_S = 5.0

Reason = Literal["timeout", "interrupted", "output"]

_KEPT = "Variables assigned so far are kept."
_BACK = (
    "The session goes on from the state before this cell, its variables and files as they were; whatever else the cell "
    "did outside the sandbox may have happened."
)
#: Time for what a cell left to be saved, after its last statement; the longer when what the cell before left is still
#: being saved.
SAVE_S = 120.0
LONG_SAVE_S = 1200.0


class CellRun:
    """The cell that runs, or waits for its kernel."""

    def __init__(self, message: Exec) -> None:
        self.k = message.k
        self.sha = message.sha
        self.code = message.code
        self.epoch = message.epoch
        self.max_output_chars = message.max_output_chars
        self.max_runs = message.max_runs
        self.output = CellOutput(message.k, message.max_output_chars)
        #: Which run it is, from 1; 0 before the first.
        self.run = 0
        #: How the run before it ended, and the frame that says so.
        self.again = ""
        self.preface: bytes | None = None
        #: What its kernel had again before it.
        self.report: RestoreReport | None = None
        #: What has to be kept of it, once the kernel has sent it.
        self.state: State | None = None
        self._timeout_s = message.timeout_ms / 1000
        self._began = 0.0
        #: How long the clock stood still, and since when it does.
        self._stood = 0.0
        self._standing_since: float | None = None
        self._ran: float | None = None
        self._save_s = SAVE_S
        self._texts: tuple[WireText, WireText] | None = None
        self._reason: Reason | None = None
        self._interrupted_at = 0.0
        self._nudges = 0
        self._killed = False

    @property
    def running(self) -> bool:
        """Whether a kernel has it."""
        return self._began > 0

    @property
    def saving(self) -> bool:
        """Whether its last statement is done."""
        return self._ran is not None

    @property
    def asked_to_end(self) -> bool:
        """Whether an interrupt was asked for."""
        return self._nudges > 0

    def begin(self, run: int) -> None:
        """Starts the clock."""
        self.run = run
        self._began = self._interrupted_at = time.monotonic()

    def again_from_start(self, why: str) -> None:
        """Forgets a run whose kernel died."""
        self.again = why
        self.output = CellOutput(self.k, self.max_output_chars)
        self.state = None
        self._began = self._stood = 0.0
        self._standing_since = self._ran = self._texts = self.preface = None

    def stand_still(self, on: bool) -> None:
        """Stops the clock, or lets it go on: the cell waits for something that is not its own doing."""
        now = time.monotonic()
        if on and self._standing_since is None:
            self._standing_since = now
        elif not on and self._standing_since is not None:
            self._stood += now - self._standing_since
            self._standing_since = None

    def ended(self, send: Callable[[bytes], None], save_s: float) -> None:
        """The cell's last statement is done; what it left is being saved, within `save_s`."""
        self._save_s = save_s
        self.stand_still(False)
        self._ran = time.monotonic()
        self.close_output(send)

    def close_output(self, send: Callable[[bytes], None]) -> None:
        """Nothing that is written from here on is the cell's."""
        self._texts = self._texts or self.output.end(send)

    def frames(self) -> list[bytes]:
        """What a host that attaches has to hear first."""
        return [*([self.preface] if self.preface else []), *self.output.frames]

    def deadline(self) -> float | None:
        """When `due` has the next thing to do, on the monotonic clock; None when nothing is left or it waits."""
        if not self.running or self._killed:
            return None
        if self._ran is not None:
            return self._ran + self._save_s
        if self._nudges:
            return self._interrupted_at + (SECOND_INTERRUPT_S if self._nudges == 1 else KILL_S)
        return None if self._standing_since is not None else self._began + self._stood + self._timeout_s

    def due(self) -> Literal["interrupt", "kill"] | None:
        """What the time asks for now."""
        deadline = self.deadline()
        if deadline is None or time.monotonic() < deadline:
            return None
        if self._ran is None and self._nudges == 0:
            self.ask_to_end("timeout")
            return "interrupt"
        if self._ran is None and self._nudges == 1:
            self._nudges = 2
            return "interrupt"
        self._killed = True
        return "kill"

    def ask_to_end(self, reason: Reason) -> bool:
        """Notes why the cell is to end; False when it was asked before."""
        if self._nudges:
            return False
        self._reason = reason
        self._nudges = 1
        self._interrupted_at = time.monotonic()
        return True

    def runs_again(self) -> bool:
        """Whether a cell whose kernel died in this run gets another one."""
        return self.run < self.max_runs and not self.asked_to_end and not self._killed

    def reply(self, said: KernelSaid) -> WireReply:
        """The reply of a cell whose kernel lives."""
        reply = self._reply("")
        reply["result"], reply["displays"], reply["error"] = said.result, said.displays, said.error
        reply["ended"], reply["unsaved"] = said.ended, said.unsaved
        if said.interrupted and self._reason:
            swallowed = "" if said.ended == "interrupted" else " It caught the interrupt and ran on to its end."
            reply["ended"] = "timeout" if self._reason == "timeout" else "interrupted"
            reply["error"] = {
                "type": "TimeLimit" if self._reason == "timeout" else "Interrupted",
                "message": f"{self._why()}{swallowed} {_KEPT}",
                "traceback": said.error["traceback"] if said.error else "",
            }
        elif said.ended == "interrupted":
            reply["ended"] = "error"
        return reply

    def died_reply(self, how: str) -> WireReply:
        """The reply of a cell that gets no other run; `how` says how it ended the last one."""
        often = f" It was run {self.run} times, and each time its kernel died." if self.run > 1 else ""
        return self._reply(f"{how}{often} {_BACK}")

    def lost_reply(self, runs: int) -> WireReply:
        """The reply of a cell under which the whole sandbox ended too often."""
        self.run = runs
        return self.died_reply("The sandbox ended in this cell (most likely it ran out of memory or was stopped).")

    def _reply(self, message: str) -> WireReply:
        reply = died_reply(message)
        if self._texts:
            reply["stdout"], reply["stderr"] = self._texts
        if self.running:
            ended = self._ran if self._ran is not None else time.monotonic()
            reply["ms"] = round((ended - self._began) * 1000, 1)
        reply["restored"] = self.report
        return reply

    def _why(self) -> str:
        if self._reason == "timeout":
            return (
                f"The cell reached its time limit of {self._timeout_s:g} s and was interrupted; do less in one cell, "
                "or try it on a sample first."
            )
        if self._reason == "output":
            return (
                f"The cell wrote more than {MAX_OUTPUT_BYTES >> 20} MB and was interrupted; print a head or a count, "
                "or write to a file in the workspace."
            )
        return "The cell was interrupted."

    def death(self, status: int, broken: bool) -> str:
        """How the kernel ended, told by its wait status."""
        if self._killed and self._ran is not None:
            return (
                f"The cell ended, but saving what it left took more than {self._save_s:g} s, so its kernel was killed; "
                "keep less in variables, and objects that can be pickled."
            )
        if self._killed:
            limit = f"its time limit of {self._timeout_s:g} s" if self._reason == "timeout" else "an interrupt"
            return f"The cell did not react to {limit} within {KILL_S:g} s, so its kernel was killed."
        if broken and status == signal.SIGKILL:
            return "The cell closed the kernel's own socket or wrote into it, so the kernel was ended."
        return death_sentence(status)


def death_sentence(status: int) -> str:
    """What a wait status says about the end of a kernel in a cell."""
    if not status & 0x7F:
        code = (status >> 8) & 0xFF
        return f"The kernel ended in this cell with exit code {code} (os._exit or a crash in C code)."
    number = status & 0x7F
    name = next((known.name for known in signal.Signals if known == number), f"signal {number}")
    hints: dict[int, str] = {
        signal.SIGKILL: "most likely it ran out of memory: read only the columns you need, or work in chunks",
        signal.SIGSEGV: "a segmentation fault in C code",
        signal.SIGBUS: "a memory-mapped file shrank or the disk is full",
        signal.SIGABRT: "C code gave up, often out of memory",
        signal.SIGXCPU: "its CPU time is used up",
        signal.SIGXFSZ: "a file grew beyond the limit",
        signal.SIGSYS: "a system call that the sandbox forbids",
    }
    hint = hints.get(number)
    return f"The kernel died in this cell: killed by {name}{f' ({hint})' if hint else ''}."
