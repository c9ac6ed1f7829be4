"""The ledger: what every cell of a session came to, so that no result is lost and no cell counts twice.

Owned by the init. A cell that has ended waits in memory until its state came from the kernel; then one rename commits
both (`checkpoint/manifests.py`). Invariants: (1) `head` is the last cell that was told; `saved` is the last one that a
manifest holds; they differ only while a save is on its way, failed, or the disk is full; (2) a manifest is written in
the order of the cells, and covers those before it that have no state of their own; (3) what is in memory alone is lost
with the kernel, and `head` falls back to `saved`; (4) only the head can be asked for again.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Any, Literal, NamedTuple

from nl2code_guest.checkpoint.manifests import (
    Torn,
    discard_after,
    newest,
    numbers,
    read_manifest,
    write_manifest,
)
from nl2code_guest.frames import FrameError, encode_header, pack_frame
from nl2code_guest.host_messages import Epoch
from nl2code_guest.journal import Journal, JournalError
from nl2code_guest.options import WARM
from nl2code_guest.reply import WireReply, died_reply

Standing = Literal["local", "pending", "none"]
"""Whether a result survives everything: yes, soon, or not before a later cell is saved."""

#: What may wait in memory for room on the disk; with more, no cell is run.
MAX_WAITING_BYTES = 32 << 20
OUTDATED = (
    "The checkpoint was written by an older release that kept no variables: the session starts with none, and its "
    "earlier cells have to run again."
)


class LedgerError(RuntimeError):
    """The checkpoint is of another session, or can't be used; the message is one sentence."""


class Result:
    """What a cell came to."""

    def __init__(
        self, k: int, sha: str, code: str, reply: WireReply, images: list[bytes], pending: bool = False
    ) -> None:
        self.k = k
        self.sha = sha
        self.code = code
        self.reply = reply
        self.images = images
        #: Whether its state is still on its way.
        self.pending = pending


class State(NamedTuple):
    """What a kernel says has to be kept after cell `k`; the bytes are not looked at."""

    k: int
    #: First cell whose changes it holds.
    first: int
    want: str
    full: bool
    data: bytes


class Ledger:
    """The cells of one session in one checkpoint folder."""

    def __init__(self, checkpoint: str, session: str, durable: bool) -> None:
        """Raises LedgerError."""
        self._folder = os.path.join(checkpoint, "manifests")
        self._session = session
        self._durable = durable
        #: Last cell that a manifest holds, -1 when none.
        self.saved = -1
        #: What a kernel of this state has imported.
        self.want = "bare"
        #: Sentences for restore reports, until a cell was told with one.
        self.notes: list[str] = []
        #: The head's result, None when no cell has ended.
        self._head: Result | None = None
        self._sha_of_saved = ""
        #: Cells that have ended and have no manifest yet, oldest first, and the states that wait for one.
        self._tail: list[Result] = []
        self._states: dict[int, State] = {}
        #: Whether manifests lie there that nothing goes on from.
        self._leftovers = False
        self._fell_back = False
        #: Why the last manifest could not be written.
        self._trouble = ""
        folder = os.path.join(checkpoint, "ledger")
        try:
            self._journal = Journal(folder, session, durable)
            self._load()
        except OSError as error:
            raise LedgerError(f"The ledger {folder!r} can't be used: {error.strerror}.") from error
        except JournalError as error:
            raise LedgerError(str(error)) from error
        if self._journal.outdated and self.saved < 0:
            self.notes.append(OUTDATED)

    @property
    def head(self) -> int:
        """Last cell that has a result, -1 when none."""
        return self._head.k if self._head else -1

    @property
    def epoch(self) -> Epoch:
        """The highest epoch seen."""
        return self._journal.epoch

    def raise_epoch(self, epoch: Epoch) -> None:
        """Remembers a higher epoch; a lower one changes nothing. Raises OSError when it can't be written."""
        self._journal.raise_epoch(epoch)

    # --- what is asked ---------------------------------------------------------------------------------------------

    def answers(self, k: int, sha: str) -> bool:
        """Whether `k` is the head and was this code."""
        return self._head is not None and (self._head.k, self._head.sha) == (k, sha)

    def stored(self) -> bytes:
        """The head's `done` frame as the ledger answers it."""
        return self._frame(cached=True)

    def told(self) -> bytes:
        """The head's `done` frame for who waits for it."""
        return self._frame(cached=False)

    @property
    def standing(self) -> Standing:
        """How safe the head is."""
        if not self._tail:
            return "local"
        return "pending" if self.is_pending else "none"

    @property
    def is_pending(self) -> bool:
        """Whether the state of a cell that was told is still on its way."""
        return self.pending > 0

    @property
    def pending(self) -> int:
        """Of how many cells that were told the state is still on its way."""
        return sum(result.pending for result in self._tail)

    @property
    def is_saved(self) -> bool:
        """Whether nothing is in memory alone."""
        return not self._tail

    def blocked(self) -> str | None:
        """Why no further cell can run; None when one can. Tries to write what waits."""
        with contextlib.suppress(OSError):
            self.write()
        waiting = sum(len(state.data) for state in self._states.values())
        waiting += sum(len(image) for result in self._tail for image in result.images)
        return f"Nothing can be saved: {self._trouble}." if waiting > MAX_WAITING_BYTES else None

    # --- before and while a cell runs ------------------------------------------------------------------------------

    def runs(self, k: int, sha: str) -> int:
        """How often a cell was started without a result."""
        return self._journal.runs(k, sha)

    def start(self, k: int, sha: str, epoch: Epoch) -> int:
        """Records that `k` is about to run and returns which run it is. Raises OSError when it can't be written."""
        return self._journal.start(k, sha, epoch)

    def note_at_start(self, k: int, changes: bytes) -> None:
        """Records what came into the workspace from outside before `k`. Raises OSError."""
        self._journal.note_at_start(k, changes)

    # --- restoring -------------------------------------------------------------------------------------------------

    @property
    def exact(self) -> bool:
        """Whether the workspace may hold traces of what came after the saved state."""
        return self._fell_back or self._journal.has_traces(self.saved)

    def at_start(self) -> bytes | None:
        """What came into the workspace from outside after the saved state and before the cell that followed."""
        return None if self._fell_back else self._journal.at_start(self.saved + 1)

    def restored(self) -> None:
        """The workspace is that of the saved state."""
        if self.exact:
            with contextlib.suppress(OSError):
                self._journal.clean(self.saved)
        self._fell_back = False

    def fall_back(self, k: int, why: str) -> None:
        """Goes on from the newest manifest below `k`: that one and those after it can't be restored."""
        self.notes.append(why)
        self.forget_unsaved()
        self._load(before=min(k, self.saved))
        self._leftovers = self._fell_back = True

    def forget_unsaved(self) -> None:
        """Drops what is in memory alone, whose variables were lost with their kernel."""
        with contextlib.suppress(OSError):
            self.write()
        if self._tail:
            self._tail, self._states = [], {}
            self._load(before=self.saved + 1)

    # --- after a cell ----------------------------------------------------------------------------------------------

    def finish(self, result: Result, state: State | None) -> None:
        """Takes what the cell after the head came to, and its state if it came already.

        Raises:
            FrameError: The state leaves out a cell; nothing was taken.
        """
        if state:
            self._check(state)
            self._states[state.k] = state
            result.pending = False
        self._head = result
        self._tail.append(result)
        try:
            self.write()
        except OSError as error:
            result.reply["unsaved"] = _sentence(error)
        if not self.is_saved:
            with contextlib.suppress(OSError):
                self._journal.end(result.k, result.sha)

    def finish_without_effects(self, result: Result) -> bool:
        """Takes the result of a cell whose kernel died; the session goes on from the state before it.

        Returns:
            False when that state is lost too, and nothing was taken.
        """
        self.forget_unsaved()
        if self.saved != result.k - 1:
            return False
        with contextlib.suppress(OSError):
            self._journal.dirty(result.k)
        changes = self._journal.at_start(result.k) or b""
        self.finish(result, State(result.k, result.k, self.want, False, changes))
        return True

    def take(self, state: State) -> bool:
        """Takes the state of a cell that was told before it came. Returns whether it is saved now.

        Raises:
            FrameError: No such cell waits for one.
        """
        waiting = [result for result in self._tail if result.k == state.k]
        if not waiting:
            raise FrameError(f"Nobody waits for the state of cell {state.k}.")
        self._check(state)
        self._states[state.k] = state
        waiting[0].pending = False
        with contextlib.suppress(OSError):
            self.write()
        return self.saved >= state.k

    def no_more_states(self) -> None:
        """What is still on its way does not come any more."""
        for result in self._tail:
            result.pending = False

    def write(self) -> None:
        """Commits what has a state, oldest first. Raises OSError; what could not be written is tried again later."""
        while self._states:
            state = self._states[min(self._states)]
            covered = [result for result in self._tail if result.k < state.k]
            result = self._tail[len(covered)]
            try:
                if self._leftovers:
                    discard_after(self._folder, self.saved, self._durable)
                    self._leftovers = False
                self._commit(result, covered, state)
            except OSError as error:
                self._trouble = _sentence(error).rstrip(".")
                raise
            del self._states[state.k], self._tail[: len(covered) + 1]
            self._journal.settle(self.saved)

    def _check(self, state: State) -> None:
        before = [result.k for result in self._tail if result.k < state.k and result.k not in self._states]
        if before and not max(self._states, default=-1) < state.first <= before[0]:
            raise FrameError(f"The state of cell {state.k} leaves out what came before it.")

    def _commit(self, result: Result, covered: list[Result], state: State) -> None:
        parent = self._parent(state.first)
        header = {
            "session": self._session,
            "k": result.k,
            "sha": result.sha,
            "parent": parent,
            "code": result.code,
            "want": state.want,
            "reply": result.reply,
            "covered": [{"k": before.k, "sha": before.sha, "code": before.code} for before in covered],
            "full": state.full,
        }
        try:
            sha = write_manifest(self._folder, header, result.images, state.data, self._durable)
        except ValueError as error:
            raise OSError(errno.EFBIG, str(error)) from error
        self._sha_of_saved = sha
        self.saved, self.want = result.k, state.want

    def _parent(self, first: int) -> dict[str, Any] | None:
        """What a state builds on that holds the changes from cell `first` on."""
        pointer: dict[str, Any] | None = {"k": self.saved, "sha": self._sha_of_saved} if self.saved >= 0 else None
        try:
            # A kernel that was not told of a commit saves what it holds once more.
            while pointer and pointer["k"] >= first:
                pointer = read_manifest(self._folder, pointer["k"]).header["parent"]
        except Torn as error:
            raise OSError(errno.EIO, str(error)) from error
        return pointer

    def _load(self, before: int | None = None) -> None:
        """Takes the newest manifest, of those below `before` when it is given, for the head."""
        manifest = newest(self._folder, before)
        while manifest and not _is_sound(manifest.header):
            manifest = newest(self._folder, manifest.k)
        if manifest is None:
            self.saved, self.want, self._head, self._sha_of_saved = -1, "bare", None, ""
        else:
            header = manifest.header
            if header["session"] != self._session:
                raise LedgerError(f"The checkpoint {self._folder!r} belongs to session {header['session']!r}.")
            self.saved, self.want, self._sha_of_saved = manifest.k, header["want"], manifest.sha
            self._head = Result(manifest.k, header["sha"], header["code"], header["reply"], manifest.images)
        self._journal.settle(self.saved)
        left = numbers(self._folder)
        self._leftovers = bool(left) and left[-1] > self.saved

    def _frame(self, cached: bool) -> bytes:
        assert self._head is not None
        head = self._head
        header = {
            "type": "done",
            "k": head.k,
            "sha": head.sha,
            "cached": cached,
            "saved": self.standing,
            "attachments": [len(image) for image in head.images],
            "reply": head.reply,
        }
        return pack_frame(encode_header(header), b"".join(head.images))


def _is_sound(header: dict[str, Any]) -> bool:
    """Whether an init wrote this: a cell can write a sealed manifest too."""
    texts = all(isinstance(header.get(name), str) for name in ("session", "sha", "code"))
    reply = header.get("reply")
    return texts and header.get("want") in WARM and isinstance(reply, dict) and set(reply) >= set(died_reply(""))


def _sentence(error: OSError) -> str:
    return (
        f"What this cell left could not be saved: {error.strerror}. It is kept in memory and saved with a later cell."
    )
