"""One kernel at a time: forked from the zygote, restored to the state of the ledger, replaced when it dies.

Owns the zygote and the kernel's process; `Cells` owns what runs in it. A kernel is asked for ahead, so that the next
cell finds one. Invariants: (1) a kernel is given a cell only after it said that it is restored; (2) a state that can't
be restored, or kills its kernel too often, is given up for an older one; trouble of the machine is not the state's; (3)
nothing that a dead kernel started is left.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from typing import Any, Protocol

from nl2code_guest.cell_output import Stream
from nl2code_guest.frames import Frame, FrameError
from nl2code_guest.kernel_link import KernelLink
from nl2code_guest.ledger import Ledger
from nl2code_guest.options import WARM, Options
from nl2code_guest.restore_report import RestoreReport, checked_report, empty_report
from nl2code_guest.system_calls import kill_descendants
from nl2code_guest.texts import bound, clean
from nl2code_guest.zygote_link import ZygoteLink
from nl2code_guest.zygote_start import StartedZygote

#: A kernel whose socket has ended is looked at again after this: it is dying, or a cell has closed the socket.
_DEATH_S = 0.5
#: A restore that says nothing for so long does not come to an end.
RESTORE_S = 600.0
_MAX_WHY_CHARS = 400
#: Deaths in a row before anything was achieved.
_MAX_DEATHS = 3


class KernelUser(Protocol):
    """Who hears of the kernel."""

    def on_kernel_ready(self) -> None:
        """It can be given a cell."""

    def on_kernel_frame(self, frame: Frame) -> None:
        """It said something that is not about restoring; raises FrameError."""

    def on_state(self, frame: Frame) -> None:
        """It, or its child, sent a state; raises FrameError."""

    def on_output(self, stream: Stream, data: bytes) -> None:
        """It, or what it started, wrote something."""

    def on_kernel_gone(self) -> None:
        """It is spoken to no more."""

    def on_kernel_death(self, status: int, broken: bool) -> None:
        """It has ended; everything it said has been heard."""

    def on_no_kernel(self, message: str) -> None:
        """None can be had at present."""

    def on_head_moved(self) -> None:
        """The ledger fell back to an older head."""

    def wanted_imports(self) -> str | None:
        """What the waiting cell needs; None when none waits."""

    def awaits_host(self) -> bool:
        """Whether the kernel waits for the host."""


class KernelSupply:
    """The zygote and the kernel."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        options: Options,
        zygote: StartedZygote | None,
        ledger: Ledger,
        user: KernelUser,
    ) -> None:
        self._selector = selector
        self._options = options
        self._ledger = ledger
        self._user = user
        self.kernel: KernelLink | None = None
        self._report: RestoreReport | None = None
        self._forks = 0
        #: Kernels that died one after another, while restoring and before they did anything.
        self._restore_deaths = 0
        self._early_deaths = 0
        #: Children that ended while it was not known which one the kernel is.
        self._ended_unknown: dict[int, int] = {}
        self._zygote = ZygoteLink(selector, options, zygote, self._on_zygote)

    def begin(self) -> None:
        """Asks for a kernel ahead when there is a state to bring back."""
        if self._ledger.saved >= 0 or self._ledger.exact:
            self._ask(self._ledger.want)

    def need(self) -> None:
        """A cell waits for a kernel: asks for one, if none is there or on its way."""
        kernel = self.kernel
        if kernel and kernel.restoring_since is None and kernel.has_stopped() and self._ledger.is_saved:
            # Not after a state on its way, which a child may still send. The status is of no use: it ran no cell.
            self._on_death(kernel, 0)
        if self.kernel is None:
            self._ask(self._user.wanted_imports() or "bare")

    def take_report(self) -> RestoreReport | None:
        """What the kernel had again, for the first cell in it."""
        report, self._report = self._report, None
        if report is None and self._ledger.notes:
            report = checked_report(empty_report(-1), self._ledger.saved, self._ledger.notes)
        return report

    def cell_begins(self, pristine: bool) -> None:
        """The kernel is given a cell; `pristine` when that leaves nothing behind."""
        assert self.kernel is not None
        self.kernel.pristine = self.kernel.pristine and pristine
        self._early_deaths = 0

    def renew(self) -> None:
        """Replaces a kernel that was forked early for the look at the inputs by one that has everything imported."""
        kernel = self.kernel
        if kernel and kernel.pid and kernel.early and kernel.pristine and self._zygote.idle and self._ledger.is_saved:
            self.replace(self._options.warm)
            if self.kernel:
                self.kernel.quiet = True

    def replace(self, want: str | None = None) -> None:
        """Ends the kernel and asks for another one."""
        if self.kernel:
            self.kernel.kill()
            self._forget_kernel()
        self._report = None
        self._ask(want or self._user.wanted_imports() or self._options.warm)

    # --- time and children -----------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When `on_time` has the next thing to do, on the monotonic clock."""
        kernel = self.kernel
        if kernel is None:
            return None
        if kernel.doomed_at is not None:
            return kernel.doomed_at
        waits = kernel.restoring_since is None or kernel.pid is None or self._user.awaits_host()
        return None if waits or kernel.restoring_since is None else kernel.restoring_since + RESTORE_S

    def on_time(self) -> None:
        """Does what the clock asks for."""
        kernel, deadline = self.kernel, self.deadline()
        if kernel is None or deadline is None or time.monotonic() < deadline:
            return
        if kernel.doomed_at is None:
            kernel.restoring_since = time.monotonic()
            kernel.kill()
        elif kernel.is_dying():
            # Its socket is closed before its end is told, and on a busy machine long before.
            kernel.doomed_at = time.monotonic() + _DEATH_S
        else:
            kernel.end_as_broken()

    def heard_of_host(self) -> None:
        """What the kernel waited for has come; its time to restore begins anew."""
        if self.kernel and self.kernel.restoring_since is not None:
            self.kernel.restoring_since = time.monotonic()

    def on_child(self, pid: int, status: int) -> None:
        """A child of this process has ended."""
        if self.kernel and pid == self.kernel.pid:
            self._on_death(self.kernel, status)
        elif pid == self._zygote.pid:
            self._zygote.replace()
            if self.kernel and self.kernel.pid is None:
                self._forget_kernel()
            if self._zygote.hopeless:
                self._user.on_no_kernel("A kernel can't be started: the process that imports for it dies.")
            elif self._user.wanted_imports():
                self.need()
        elif self.kernel and self.kernel.pid is None:
            self._ended_unknown[pid] = status

    def _on_death(self, kernel: KernelLink, status: int) -> None:
        kernel.read_messages()
        kernel.drain()
        if self.kernel is not kernel:
            # It had said that it can't restore, and was replaced.
            return
        restoring = kernel.restoring_since is not None
        self._forget_kernel()
        kill_descendants(spare=(self._zygote.pid,))
        if restoring:
            self._on_restore_death()
        else:
            self._early_deaths += 1
            self._user.on_kernel_death(status, kernel.broken)
        if self._early_deaths >= _MAX_DEATHS:
            self._early_deaths = 0
            self._user.on_no_kernel(f"A kernel can't be started: {_MAX_DEATHS} died before they were given a cell.")
        else:
            self._ask_ahead()

    def _ask_ahead(self) -> None:
        if self.kernel is None:
            self._ask(self._user.wanted_imports() or self._options.warm)

    def _on_restore_death(self) -> None:
        self._restore_deaths += 1
        if self._restore_deaths < _MAX_DEATHS:
            return
        self._restore_deaths = 0
        saved = self._ledger.saved
        if saved < 0:
            self._early_deaths = _MAX_DEATHS
            return
        self._ledger.fall_back(saved, f"The state after cell {saved} killed {_MAX_DEATHS} kernels that restored it.")
        self._user.on_head_moved()

    # --- the kernel ------------------------------------------------------------------------------------------------

    def _ask(self, want: str) -> None:
        self._forks += 1
        kernel = KernelLink(
            self._selector, self._on_frame, self._on_wire_end, self._user.on_output, self._user.on_state
        )
        ledger = self._ledger
        restores = ledger.saved >= 0 or ledger.exact
        if restores:
            want = max(want, ledger.want, key=WARM.index)
        try:
            self._zygote.fork(self._forks, want, kernel.handover)
        except OSError:
            # The zygote has just died; its successor is asked when its death was seen.
            kernel.close()
            return
        kernel.handed_over()
        kernel.early = not self._zygote.idle
        kernel.pristine = ledger.saved < 0
        self.kernel = kernel
        self._report = None
        if restores:
            kernel.restore(ledger.saved, ledger.exact, ledger.at_start())

    def _forget_kernel(self) -> None:
        if self.kernel:
            self.kernel.close()
            self.kernel = None
            self._user.on_kernel_gone()

    def _on_frame(self, frame: Frame) -> None:
        kernel, kind = self.kernel, frame.header["type"]
        if kernel is None:
            return
        if kernel.restoring_since is not None and kind == "restored":
            kernel.restoring_since = None
            self._on_restored(kernel, frame.header.get("report"))
        elif kernel.restoring_since is not None and kind == "unrestorable":
            self._on_unrestorable(frame.header)
        elif kernel.restoring_since is not None and kind == "unready":
            self._on_unready(kernel, frame.header)
        else:
            self._user.on_kernel_frame(frame)

    def _on_restored(self, kernel: KernelLink, raw: object) -> None:
        self._restore_deaths = 0
        report = checked_report(raw, self._ledger.saved, self._ledger.notes)
        if not kernel.quiet or report["lost"] or report["unproved"] or report["notes"]:
            self._report = report
        self._ledger.restored()
        if kernel.pid is not None:
            self._user.on_kernel_ready()

    def _on_unrestorable(self, header: dict[str, Any]) -> None:
        k, message = header.get("k"), header.get("message")
        saved = self._ledger.saved
        if saved < 0 or type(k) is not int or not isinstance(message, str):
            raise FrameError("The kernel can't restore a state that it was not asked for.")
        self._ledger.fall_back(k, message)
        self._user.on_head_moved()
        self.replace()

    def _on_unready(self, kernel: KernelLink, header: dict[str, Any]) -> None:
        message = header.get("message")
        if not isinstance(message, str):
            raise FrameError("The kernel can't restore and does not say why.")
        # Nothing is lost, and an older state would meet the same: the next cell that is asked for tries again.
        kernel.kill()
        self._forget_kernel()
        saved, why = self._ledger.saved, bound(clean(message), _MAX_WHY_CHARS)["text"]
        what = f"The state after cell {saved}" if saved >= 0 else "The workspace before the first cell"
        self._user.on_no_kernel(f"{what} can't be brought back at present: {why}.")

    def _on_wire_end(self, error: FrameError | None) -> None:
        if self.kernel and error:
            self.kernel.end_as_broken()
        elif self.kernel:
            # Most likely its death, which is seen in a moment. If not, a cell has closed the socket.
            self.kernel.doomed_at = time.monotonic() + _DEATH_S

    def _on_zygote(self, message: dict[str, Any]) -> None:
        kernel = self.kernel
        waited_for = kernel and kernel.pid is None and message.get("number") == self._forks
        if "pid" in message and waited_for and kernel:
            kernel.pid = message["pid"]
            ended = self._ended_unknown.pop(kernel.pid, None)
            self._ended_unknown = {}
            if ended is not None:
                self._on_death(kernel, ended)
            elif kernel.ready:
                self._user.on_kernel_ready()
        elif "pid" in message:
            with contextlib.suppress(ProcessLookupError):
                os.kill(message["pid"], signal.SIGKILL)
        elif "failed" in message and waited_for:
            self._forget_kernel()
            self._user.on_no_kernel(f"A kernel can't be started: {message['failed']}.")
        elif self._zygote.idle and kernel is None:
            self._ask(self._options.warm)
        elif self._zygote.idle and self._user.wanted_imports() is None:
            self.renew()
