"""One cell from its `exec` to its reply, as the init sees it."""

from __future__ import annotations

import signal
import time
from typing import Literal

from nl2code_guest.cell_output import MAX_OUTPUT_BYTES, CellOutput
from nl2code_guest.host_messages import Exec
from nl2code_guest.reply import KernelSaid, WireReply, died_reply

#: A cell that goes on after the interrupt gets a second one, then its kernel is killed. Seconds after the first.
SECOND_INTERRUPT_S = 2.0
KILL_S = 5.0

Reason = Literal["timeout", "interrupted", "output"]

_KEPT = "Variables assigned so far are kept."
_GONE = "The kernel's variables are gone; whether this cell's effects happened is not known. Files are still there."


class CellRun:
    """The cell that runs, or waits for its kernel."""

    def __init__(self, message: Exec) -> None:
        self.k = message.k
        self.sha = message.sha
        self.code = message.code
        self.epoch = message.epoch
        self.max_output_chars = message.max_output_chars
        self.output = CellOutput(message.k, message.max_output_chars)
        self.fresh = False
        self._timeout_s = message.timeout_ms / 1000
        self._began = 0.0
        self._reason: Reason | None = None
        self._interrupted_at = 0.0
        self._nudges = 0
        self._killed = False

    @property
    def running(self) -> bool:
        """Whether a kernel has it."""
        return self._began > 0

    @property
    def asked_to_end(self) -> bool:
        """Whether an interrupt was asked for."""
        return self._nudges > 0

    def begin(self, fresh: bool) -> None:
        """Starts the clock."""
        self.fresh = fresh
        self._began = self._interrupted_at = time.monotonic()

    def deadline(self) -> float | None:
        """When `due` has the next thing to do, on the monotonic clock; None when nothing is left or it waits."""
        if not self.running or self._killed:
            return None
        if self._nudges == 0:
            return self._began + self._timeout_s
        return self._interrupted_at + (SECOND_INTERRUPT_S if self._nudges == 1 else KILL_S)

    def due(self) -> Literal["interrupt", "kill"] | None:
        """What the time asks for now."""
        deadline = self.deadline()
        if deadline is None or time.monotonic() < deadline:
            return None
        if self._nudges == 0:
            self.ask_to_end("timeout")
            return "interrupt"
        if self._nudges == 1:
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

    def reply(self, said: KernelSaid) -> WireReply:
        """The reply of a cell whose kernel lives."""
        reply = died_reply("", self.fresh)
        reply["result"], reply["displays"], reply["error"] = said.result, said.displays, said.error
        reply["ended"], reply["ms"] = said.ended, self._ms()
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

    def died(self, status: int, broken: bool) -> WireReply:
        """The reply of a cell whose kernel ended with wait status `status`."""
        reply = died_reply(f"{self._death(status, broken)} {_GONE}", self.fresh)
        reply["ms"] = self._ms()
        return reply

    def _ms(self) -> float:
        return round((time.monotonic() - self._began) * 1000, 1)

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

    def _death(self, status: int, broken: bool) -> str:
        if self._killed:
            limit = f"its time limit of {self._timeout_s:g} s" if self._reason == "timeout" else "an interrupt"
            return f"The cell did not react to {limit} within {KILL_S:g} s, so its kernel was killed."
        if broken and status == signal.SIGKILL:
            return "The cell closed the kernel's own socket or wrote into it, so the kernel was ended."
        if not _was_signalled(status):
            return f"The kernel ended in this cell with exit code {_exit_code(status)} (os._exit or a crash in C code)."
        number = _exit_code(status)
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


def _was_signalled(status: int) -> bool:
    return status & 0x7F != 0


def _exit_code(status: int) -> int:
    return status & 0x7F if _was_signalled(status) else (status >> 8) & 0xFF
