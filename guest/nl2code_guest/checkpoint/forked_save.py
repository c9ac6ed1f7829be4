"""A save in a child process, while the kernel goes on: the child has the variables as they were at the fork.

Who owns what: the child writes the segments and sends the state to the init by itself; the kernel learns from it what
was saved. The child runs no cell and starts no parallel region, which would hang after a fork.
Invariants: (1) the child says when it begins to send and when it has sent; when it ends in between, nobody knows
whether the cell is saved, so the next state covers it again; (2) the child ends by itself: by an alarm that nothing can
catch, or with the kernel; (3) the kernel never waits longer than the deadline, then the child is killed.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

from nl2code_guest.checkpoint.fail_points import fail_point
from nl2code_guest.checkpoint.manifests import MAX_STATE_BYTES
from nl2code_guest.checkpoint.warnings_given import ignoring
from nl2code_guest.system_calls import die_with_parent

SendSaved = Callable[[dict[str, Any], bytes], None]
"""Sends a header and a state to the init."""

_SECONDS, _BYTES_PER_SECOND = 30.0, 16 << 20
#: The kernel waits a little longer than the child's alarm.
_GRACE_S = 5.0
#: The child's last word, alone in the pipe.
_SENT, _FAILED = b"S", b"F"
_LENGTH_AT, _STATE_AT = 8, 16
_fork, _kill, _waitpid = os.fork, os.kill, os.waitpid


class ForkedOutcome(NamedTuple):
    """How a save in a child ended."""

    #: `unknown`: it may have been saved.
    kind: Literal["saved", "failed", "unknown"]
    #: The state, when it was saved.
    state: bytes = b""
    #: Why not, as a sentence or an error says it.
    message: str = ""


class ForkedSave:
    """One child that saves."""

    def __init__(self, produce: Callable[[], tuple[dict[str, Any], bytes]], send: SendSaved, estimate: int) -> None:
        """Forks. `produce` runs in the child alone. Raises OSError when there can be no child."""
        seconds = _SECONDS + estimate / _BYTES_PER_SECOND
        self._deadline = time.monotonic() + seconds + _GRACE_S
        self._shared = _SharedState()
        self._fd, writer = os.pipe2(os.O_CLOEXEC)
        self._identity = _identity(self._fd)
        try:
            kernel = os.getpid()
            # Threads of BLAS stop at a fork by themselves.
            with ignoring(DeprecationWarning):
                self._pid = _fork()
            if self._pid == 0:
                self._save(produce, send, writer, seconds, kernel)
        except OSError:
            os.close(self._fd)
            raise
        finally:
            os.close(writer)

    def fd(self) -> int | None:
        """Readable when the child has ended; None when a cell has closed it."""
        return self._fd if _identity(self._fd) == self._identity else None

    def outcome(self, wait: bool) -> ForkedOutcome | None:
        """How it ended; None while it runs, when nobody waits. Ends a child that is past its time."""
        fd = self.fd()
        if fd is None:
            # A cell has closed what the child tells by.
            return self._end(ForkedOutcome("unknown"))
        left = max(0.0, self._deadline - time.monotonic())
        # Not select(2), which takes no descriptor above 1023.
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(left * 1000 if wait else 0):
            return self._end(self._told(fd, "It did not end in time.")) if wait or left == 0 else None
        return self._end(self._told(fd, "The process that saves was ended."))

    def _told(self, fd: int, silent: str) -> ForkedOutcome:
        """What the child has said, which is all there is once it has ended or was killed."""
        self._kill()
        said = _read_all(fd)
        if said == _SENT:
            return ForkedOutcome("saved", self._shared.state())
        if self._shared.sending:
            return ForkedOutcome("unknown")
        return ForkedOutcome("failed", message=said[1:].decode("utf-8", "replace") or silent)

    def _kill(self) -> None:
        # Only a child that is still there: a cell may have waited for it, and its number be another process's.
        with contextlib.suppress(OSError):
            if self._pid and _waitpid(self._pid, os.WNOHANG)[0] == 0:
                _kill(self._pid, signal.SIGKILL)
                _waitpid(self._pid, 0)
        self._pid = 0

    def _end(self, outcome: ForkedOutcome) -> ForkedOutcome:
        self._kill()
        if _identity(self._fd) == self._identity:
            os.close(self._fd)
        return outcome

    def _save(
        self,
        produce: Callable[[], tuple[dict[str, Any], bytes]],
        send: SendSaved,
        writer: int,
        seconds: float,
        kernel: int,
    ) -> NoReturn:
        said = _FAILED
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, seconds)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
            die_with_parent()
            if os.getppid() != kernel:
                os._exit(1)
            gc.disable()
            _say_nothing()
            _be_single_threaded()
            header, state = produce()
            self._shared.put(state)
            fail_point("forked-save-half")
            self._shared.sending = True
            send(header, state)
            said = _SENT
        except BaseException as error:
            said = _FAILED + str(error).encode("utf-8", "replace")[:2_000]
        finally:
            with contextlib.suppress(BaseException):
                os.write(writer, said)
            os._exit(0)


def _say_nothing() -> None:
    """What pickled objects print would stand in the output of the next cell."""
    null = os.open(os.devnull, os.O_WRONLY)
    for fd in (1, 2):
        os.dup2(null, fd)


def _be_single_threaded() -> None:
    limits: Any = getattr(sys.modules.get("threadpoolctl"), "threadpool_limits", None)
    os.environ["OMP_NUM_THREADS"] = "1"
    if limits is not None:
        with contextlib.suppress(Exception):
            limits(1)


class _SharedState:
    """Memory that a child fills and its parent reads. It has no descriptor, which a cell could close."""

    def __init__(self) -> None:
        """Only the pages that are written cost anything. Raises OSError."""
        self._map = mmap.mmap(-1, _STATE_AT + MAX_STATE_BYTES)

    def put(self, state: bytes) -> None:
        """Raises ValueError when it is too long."""
        self._map[_STATE_AT : _STATE_AT + len(state)] = state
        self._map[_LENGTH_AT:_STATE_AT] = len(state).to_bytes(_STATE_AT - _LENGTH_AT, "big")

    def state(self) -> bytes:
        """What was put."""
        length = int.from_bytes(self._map[_LENGTH_AT:_STATE_AT], "big")
        return self._map[_STATE_AT : _STATE_AT + length]

    @property
    def sending(self) -> bool:
        """Whether the child has begun to send: from then on it may be saved, however the child ends."""
        return self._map[0] == 1

    @sending.setter
    def sending(self, begun: bool) -> None:
        self._map[0] = int(begun)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 1 << 16):
        parts.append(part)
    return b"".join(parts)
