"""The state of a session in its kernel: saved after every cell, restored in a new kernel.

Who owns what: this has the segments written and hands states to the init (`send`), which commits them in manifests; a
restore reads both. Invariants: (1) a save changes nothing here until its state is handed over, so one that fails
(disk full, quota, a child that died) leaves everything to the next one, whose state then covers several cells; (2) a
state is handed over only after the segments it names; (3) user code that runs in a save (`__reduce__`, `__getstate__`)
can refuse its own variable and nothing else; (4) nothing here is called from the midst of a cell but `fd`; (5) a cell
that ends while a child saves the one before is saved when that child has ended, before another cell begins.
"""

from __future__ import annotations

import errno
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from nl2code_guest.checkpoint.bindings import Bindings, Rebound
from nl2code_guest.checkpoint.callbacks import has_callbacks
from nl2code_guest.checkpoint.estimate import Estimate
from nl2code_guest.checkpoint.forked_save import ForkedSave, SendSaved
from nl2code_guest.checkpoint.forks import reseed
from nl2code_guest.checkpoint.kernel_state import KernelState, RestoreReport, SaveOutcome, Unsaved
from nl2code_guest.checkpoint.manifests import MAX_STATE_BYTES
from nl2code_guest.checkpoint.pickler import Refused, dump, load
from nl2code_guest.checkpoint.quota import Quota
from nl2code_guest.checkpoint.random_state import capture_random
from nl2code_guest.checkpoint.reachability import EVERYTHING, has_foreign_threads
from nl2code_guest.checkpoint.recompute import ReplayTools
from nl2code_guest.checkpoint.restore import Restore
from nl2code_guest.checkpoint.save_work import Produced, SaveWork, WorkspaceChanges
from nl2code_guest.checkpoint.saved_state import CellRecord, SavedState, decode_state, encode_changes
from nl2code_guest.checkpoint.segments import SegmentWriter
from nl2code_guest.checkpoint.settings import Settings
from nl2code_guest.checkpoint.steady import SteadyGround
from nl2code_guest.checkpoint.tidying import Tidying
from nl2code_guest.checkpoint.touched import LATER, Touched, opaque, to_look_at, touched_by
from nl2code_guest.checkpoint.workspace_files import WorkspaceFiles
from nl2code_guest.checkpoint.workspace_index import Index

__all__ = ["SessionState"]

#: From here on a child saves: a fork costs some milliseconds, and so does hashing this much.
FORK_BYTES = 32 << 20
FORK_NAMES = 400
#: Every so many saves everything is looked at, whatever the cells seem to have touched.
VERIFY_EVERY = 20


class _Waiting(NamedTuple):
    """What was seen when a cell ended, and what its save needs besides its record."""

    rebound: Rebound
    #: Whether another thread may have changed variables meanwhile.
    threads: bool
    #: Whether to look at everything, whatever it seems to have touched.
    unsure: bool


class SessionState(KernelState):
    """The state of one session; what each method has to do says `KernelState`, and `MakeState` how it is made."""

    def __init__(
        self,
        folder: str,
        workspace: str,
        namespace: dict[str, Any],
        *,
        durable: bool,
        quota_bytes: int | None,
        send: SendSaved,
        replay_tools: ReplayTools | None = None,
    ) -> None:
        self._folder = folder
        self._segments_folder = os.path.join(folder, "segments")
        self._namespace = namespace
        self._durable = durable
        self._send = send
        self._replay_tools = replay_tools
        self._ground = SteadyGround()
        self._settings = Settings(workspace, namespace, self._freeze, self._thaw)
        self._files = WorkspaceFiles(workspace)
        self._quota = Quota((workspace, folder), quota_bytes)
        self._saved = SavedState()
        #: The workspace as it was found last, and what of it is in no state yet.
        self._index: Index = {}
        self._changes = WorkspaceChanges()
        #: Cells that are in no state yet.
        self._cells: list[CellRecord] = []
        #: The names as they were looked at last, after a cell; taken anew by the first one.
        self._bindings: Bindings | None = None
        #: Whether code that no cell names may have run since then: of a thread, or one that a library calls.
        self._others = False
        #: A save under way: the child, and the cells and changes it has.
        self._fork: ForkedSave | None = None
        self._forked: tuple[list[CellRecord], WorkspaceChanges] = [], WorkspaceChanges()
        #: What has to be known of the one cell that ended while a child saved the one before.
        self._waiting: _Waiting | None = None
        #: Whether no cell has begun since the last one was saved.
        self._idle = True
        self._saves = 0
        self._tidying = Tidying(folder, durable, self._quota)

    def fd(self) -> int | None:
        """Readable when `settle` has something to take; None when no child saves."""
        return self._fork.fd() if self._fork else None

    def begin(self, k: int, code: str) -> bytes | None:
        """Notes how things are before cell `k`; returns what came into the workspace from outside."""
        with self._ground.held():
            if self._waiting:
                # Another cell would change what this one left.
                self._settle(True)
            self._idle = False
            reseed(self._folder, k, [cell.code for cell in (*self._forked[0], *self._cells)])
            came = False
            try:
                with SegmentWriter(self._segments_folder, k, self._durable, self._quota) as writer:
                    captured = self._files.capture(self._index, writer)
                    if writer.bytes_put:
                        writer.commit()
                came = bool(captured.entries or captured.removed)
                self._index = captured.index
                self._changes.add(captured.entries, captured.removed)
            except OSError:
                pass
            self._bindings = self._bindings or Bindings(self._namespace)
            self._others = self._others or _others_run()
            return encode_changes(self._changes.to_json()) if came else None

    def save(self, k: int, code: str, ms: float, tool_calls: int) -> SaveOutcome:
        """Saves what cell `k` changed. Never raises: what goes wrong is told, and carried to the next save."""
        with self._ground.held():
            self._settle(False)
            self._saves += 1
            try:
                return self._save_cell(k, code, ms, tool_calls)
            except OSError as error:
                return Unsaved(_sentence(error))
            except Exception as error:
                return Unsaved(f"What this cell left could not be saved ({type(error).__name__}: {error}).")

    def settle(self, wait: bool) -> Unsaved | None:
        """Takes the result of a child that saves; returns why what it had is not saved."""
        with self._ground.held():
            return self._settle(wait)

    def restore(self, head: int, at_start: bytes | None, exact: bool = True) -> RestoreReport:
        """Brings back what was saved up to cell `head`. Raises Unrestorable and OSError."""
        with self._ground.held():
            restore = Restore(self._folder, self._namespace, self._files, self._settings, self._replay_tools)
            report = restore.run(head, at_start, exact)
            self._saved, self._index, self._changes = restore.saved, restore.index, restore.changes
            self._bindings = None
            return report

    def tidy(self) -> None:
        """Uses an idle moment: the next restore is quicker for it, and the store smaller. Not while a save is open."""
        if self._fork is None and not self._cells:
            with self._ground.held():
                self._tidying.run(self._saved)

    # --- saving ----------------------------------------------------------------------------------------------------

    def _save_cell(self, k: int, code: str, ms: float, tool_calls: int) -> SaveOutcome:
        unsure = bool(self._cells) or self._saves % VERIFY_EVERY == 0
        waiting = self._look(unsure)
        # A cell that is not noted would be missing from the next state.
        assigned = tuple(sorted(waiting.rebound.assigned))
        accessed = EVERYTHING if waiting.threads else LATER
        self._cells.append(CellRecord(k, code, assigned, (accessed,), ms, tool_calls, False))
        # Only now can it fail: the next save knows of this cell.
        self._capture_workspace(k)
        if self._fork is None:
            return self._save_looked_at(waiting)
        # The reply does not wait for the child. What was touched is told by the state that it saves.
        self._waiting, self._idle = waiting, True
        return "forked"

    def _look(self, unsure: bool) -> _Waiting:
        before, self._others = self._others, _others_run()
        assert self._bindings is not None
        try:
            return _Waiting(self._bindings.look(), before or self._others, unsure)
        except Exception:
            return _Waiting(Rebound(frozenset(), frozenset()), True, unsure)

    def _save_looked_at(self, waiting: _Waiting) -> SaveOutcome:
        """Saves the newest cell, and those before it that are in no state yet."""
        assert self._bindings is not None
        rebound, threads, unsure = waiting
        anew = rebound.assigned | rebound.deleted
        if len(self._cells) > 1:
            # What an unsaved cell has defined leads to names that are not known yet.
            return self._run(self._work((EVERYTHING,), anew))
        cell = self._cells[-1]
        try:
            touched = touched_by(cell.code, f"<cell {cell.k}>", rebound, self._bindings, threads, self._saved)
        except Exception:
            touched = Touched(rebound.assigned, rebound.deleted, frozenset((EVERYTHING,)))
        accessed = touched.accessed
        self._cells[-1] = cell._replace(accessed=tuple(sorted(accessed | opaque(self._saved.refused))))
        return self._run(self._work((EVERYTHING,) if unsure else accessed, anew))

    def _capture_workspace(self, k: int) -> None:
        with SegmentWriter(self._segments_folder, k, self._durable, self._quota) as writer:
            captured = self._files.capture(self._index, writer)
            if writer.bytes_put:
                writer.commit()
        self._index = captured.index
        if captured.entries or captured.removed:
            self._changes.add(captured.entries, captured.removed)
            self._cells[-1] = self._cells[-1]._replace(wrote=True)

    def _work(self, accessed: Collection[str], rebound: Collection[str]) -> SaveWork:
        assert self._bindings is not None
        names, parts = to_look_at(accessed, rebound, self._namespace, self._bindings, self._saved)
        return SaveWork(
            self._segments_folder,
            self._durable,
            self._quota,
            self._namespace,
            self._saved,
            names,
            EVERYTHING in accessed,
            parts,
            self._cells,
            self._changes,
            self._index,
            self._settings.capture(),
            capture_random(),
            self._tidying.moved(),
        )

    def _run(self, work: SaveWork) -> SaveOutcome:
        estimate = Estimate(1 << 40)
        estimate.add(self._namespace[name] for name in work.names)
        size = max(estimate.bytes, sum(self._saved.components.by_id[id].size() for id in work.parts))
        if size >= FORK_BYTES or len(work.names) >= FORK_NAMES:
            self._quota.doubt()
            try:
                self._fork = ForkedSave(lambda: _to_send(work.produce(limited=False)), self._send, size)
            except OSError:
                # No room for another process; it takes longer here.
                return self._run_here(work)
            self._forked = self._cells, self._changes
            self._cells, self._changes = [], WorkspaceChanges()
            self._idle = True
            return "forked"
        return self._run_here(work)

    def _run_here(self, work: SaveWork) -> SaveOutcome:
        produced = work.produce(limited=True)
        self._send(*_to_send(produced))
        self._saved.apply(produced.delta, len(produced.data))
        self._tidying.told()
        self._cells, self._changes = [], WorkspaceChanges()
        self._idle = True
        return "inline"

    def _settle(self, wait: bool) -> Unsaved | None:
        outcome = self._fork.outcome(wait) if self._fork else None
        if outcome is None:
            return None
        self._fork = None
        self._quota.doubt()
        cells, changes = self._forked
        waiting, self._waiting = self._waiting, None
        if outcome.kind == "saved":
            self._saved.apply(decode_state(outcome.state), len(outcome.state))
            self._tidying.told()
            return self._made_good(lambda: self._save_looked_at(waiting)) if waiting else None
        changes.add(self._changes.entries, self._changes.removed)
        self._cells, self._changes = cells + self._cells, changes
        if outcome.kind == "failed" and self._idle:
            return self._made_good(lambda: self._run_here(self._work((EVERYTHING,), ())))
        return Unsaved(f"What this cell left could not be saved: {outcome.message}")

    def _made_good(self, save: Callable[[], object]) -> Unsaved | None:
        try:
            save()
        except Exception as error:
            return Unsaved(_sentence(error) if isinstance(error, OSError) else str(error))
        return None

    # --- values of settings ----------------------------------------------------------------------------------------

    def _freeze(self, value: object) -> str:
        pickled = dump({"value": value}, self._namespace)
        if pickled.buffers:
            raise Refused("memory", "It is too large for a setting.")
        return b64encode(pickled.stream).decode("ascii")

    def _thaw(self, text: str) -> object:
        return load(b64decode(text), [], self._namespace, self._namespace.__getitem__)["value"]


def _to_send(produced: Produced) -> tuple[dict[str, Any], bytes]:
    if len(produced.data) > MAX_STATE_BYTES:
        raise OSError(errno.EFBIG, f"the state needs {len(produced.data) >> 20} MiB of {MAX_STATE_BYTES >> 20}")
    return produced.header, produced.data


def _others_run() -> bool:
    """Whether code that a cell does not name may change variables."""
    return has_foreign_threads() or has_callbacks()


def _sentence(error: OSError) -> str:
    what = error.strerror or str(error)
    return f"What this cell left could not be saved: {what}. It is kept in memory and saved with a later cell."
