"""What a kernel asks of the state of its session: `SessionState` does it, and a plain stand-in for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.forked_save import SendSaved
    from nl2code_guest.checkpoint.recompute import ReplayTools

RestoreReport = dict[str, Any]
"""`{"head", "variables", "recomputed", "unproved", "lost": [{"name", "type", "cell", "message"}], "notes", "ms"}`."""


class Unrestorable(Exception):
    """What was saved with cell `k` can't be had; an older state may still be good. The message is one sentence."""

    def __init__(self, k: int, message: str) -> None:
        super().__init__(message)
        self.k = k
        self.message = message


class Unsaved(NamedTuple):
    """A save that did not succeed; the next one carries its changes too. The message is one sentence."""

    message: str


SaveOutcome = Literal["inline", "forked"] | Unsaved


class KernelState(Protocol):
    """The state of one session in its kernel. Nothing of it is called from the midst of a cell but `fd`."""

    def fd(self) -> int | None:
        """Readable when `settle` has something to take; None when no child saves."""

    def begin(self, k: int, code: str) -> bytes | None:
        """Notes how things are before cell `k`.

        Returns:
            What came into the workspace from outside, its contents made durable: a state that only tells of files.
            None when nothing came since this was last told, or when it could not be written; it is saved with the cell
            then. What was told for an earlier run of the cell (`at_start`) is told again with what came since.
        """

    def save(self, k: int, code: str, ms: float, tool_calls: int) -> SaveOutcome:
        """Saves what cell `k` changed. Never raises: what goes wrong is told, and carried to the next save."""

    def settle(self, wait: bool) -> Unsaved | None:
        """Takes the result of a child that saves. One that failed is made up for here when no cell has begun since.

        Returns:
            Why the cells that the child had are not saved; None when they are, or when the child still runs.
        """

    def restore(self, head: int, at_start: bytes | None, exact: bool = True) -> RestoreReport:
        """Brings back what was saved up to cell `head`, into the empty namespace; -1 is the state before the first.

        Args:
            at_start: What `begin` returned for the cell that ran when the last kernel died.
            exact: Whether the workspace becomes what it was then. Else it holds no traces of cells after `head`, so
                what differs came from outside and stays; only what is missing is written, as for a fork.

        Raises:
            Unrestorable: it can't be had; the session has to go on from a manifest before `k` of the error.
            OSError: it can't be brought back here; another kernel may do it.
        """

    def tidy(self) -> None:
        """Uses an idle moment: the next restore is quicker for it, and the store smaller. Not while a save is open."""


class MakeState(Protocol):
    """Makes one, before the first cell: what the process is like then is nothing to save."""

    def __call__(
        self,
        folder: str,
        workspace: str,
        namespace: dict[str, Any],
        *,
        durable: bool,
        quota_bytes: int | None,
        send: SendSaved,
        replay_tools: ReplayTools | None = None,
    ) -> KernelState:
        """Makes it.

        Args:
            folder: The checkpoint folder.
            namespace: That of the cells, which stays the same object.
            send: Sends a header `{"type": "saved", "k", "want", "covers": [first, last], "full"}` and a state; also
                called in a forked child.
            replay_tools: Opens a cell that is run again, by its number: tools answer from the records of that cell
                only. Without it, a cell that called a tool is never run again.
        """
