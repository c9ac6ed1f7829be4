"""The ledger: which cells were started and how they ended, so that no cell ever runs twice.

Owned by the init; the kernel has no descriptor of it. A journal of frames, each followed by its CRC: `started` is
appended before a cell runs, `done` with the reply and its images after. Appending costs microseconds where replacing a
file per cell costs half a millisecond on a journalling file system.
Invariants: (1) both records are written before the host is told; (2) a cell found `started` when the ledger is opened
has lost its kernel: it is recorded as `kernel-died` and never run; (3) a record that a crash cut off counts as not
written, and nothing had been told of it; (4) the highest epoch seen survives the init; (5) only the head can be asked
for, so a long journal is replaced by its head.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from typing import Any

from nl2code_guest.frames import MAX_BODY_BYTES, MAX_HEADER_BYTES, encode_header, pack_frame
from nl2code_guest.host_messages import Epoch, to_epoch
from nl2code_guest.reply import WireReply, died_reply

LOST = (
    "The sandbox ended while this cell ran: whether its effects happened is not known, and the kernel's variables are "
    "gone. Files are still there; look at what the cell left before you go on."
)
#: A journal is replaced by its head when it is longer than this and than twice its head.
_LONG_BYTES = 4 << 20
_MAX_JOURNAL_BYTES = 256 << 20
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")


class LedgerError(RuntimeError):
    """The journal is of another session, or can't be used; the message is one sentence."""


class Ledger:
    """The cells of one session in one folder."""

    def __init__(self, folder: str, session: str, durable: bool) -> None:
        self._path = os.path.join(folder, "journal")
        self._session = session
        self._durable = durable
        #: Last cell that has a result, -1 when none.
        self.head = -1
        self.epoch: Epoch = (0, 0)
        self._sha = ""
        self._reply = b""
        self._sizes: list[int] = []
        self._body = b""
        self._fd = -1
        self._length = 0
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            self._load()
        except OSError as error:
            raise LedgerError(f"The ledger {folder!r} can't be used: {error.strerror}.") from error
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise LedgerError(f"The ledger {self._path!r} holds a record that no guest has written.") from error

    def answers(self, k: int, sha: str) -> bool:
        """Whether `k` is the head and was this code."""
        return k == self.head >= 0 and self._sha == sha

    def stored(self) -> bytes:
        """The head's `done` frame as the ledger answers it."""
        return self._frame(cached=True)

    def raise_epoch(self, epoch: Epoch) -> None:
        """Remembers a higher epoch; a lower one changes nothing. Raises OSError when it can't be written."""
        if epoch > self.epoch:
            self.epoch = epoch
            self._append(self._record("epoch", self.head, ""))

    def start(self, k: int, sha: str, epoch: Epoch, fresh: bool) -> None:
        """Records that `k` is about to run. Raises OSError when it can't be written."""
        self.epoch = max(epoch, self.epoch)
        self._append({**self._record("started", k, sha), "fresh": fresh})

    def finish(self, k: int, sha: str, reply: WireReply, attachments: list[bytes]) -> bytes:
        """Records how `k` ended and returns the `done` frame for the host."""
        self.head, self._sha = k, sha
        self._reply = encode_header(reply)
        self._sizes = [len(part) for part in attachments]
        self._body = b"".join(attachments)
        # On a full disk the cell stays `started`: a later init answers `kernel-died`, which is safe, and this one
        # answers from memory.
        with contextlib.suppress(OSError):
            if self._length > _LONG_BYTES and self._length > 2 * (len(self._reply) + len(self._body)):
                self._replace()
            else:
                self._append_bytes(self._done())
        return self._frame(cached=False)

    def _frame(self, cached: bool) -> bytes:
        header = {"type": "done", "k": self.head, "sha": self._sha, "cached": cached, "attachments": self._sizes}
        return pack_frame(_with_reply(header, self._reply), self._body)

    def _record(self, kind: str, k: int, sha: str) -> dict[str, Any]:
        return {"type": kind, "session": self._session, "k": k, "sha": sha, "epoch": self.epoch}

    def _done(self) -> bytes:
        header = {**self._record("done", self.head, self._sha), "attachments": self._sizes}
        return _sealed(pack_frame(_with_reply(header, self._reply), self._body))

    # --- the file --------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._length = os.fstat(self._fd).st_size
        if self._length > _MAX_JOURNAL_BYTES:
            raise LedgerError(f"The ledger {self._path!r} is larger than {_MAX_JOURNAL_BYTES} bytes.")
        with open(self._fd, "rb", closefd=False) as file:
            data = memoryview(file.read())
        at = 0
        started: dict[str, Any] | None = None
        while (end := _end_of_record(data, at)) is not None:
            record, body = _read_record(data[at:end])
            at = end
            if record.get("session") != self._session:
                raise LedgerError(f"The ledger {self._path!r} belongs to session {record.get('session')!r}.")
            self.epoch = max(self.epoch, to_epoch(record.get("epoch")) or (0, 0))
            started = record if record["type"] == "started" else started
            if record["type"] == "done":
                started = None
                self.head, self._sha = int(record["k"]), str(record["sha"])
                self._reply, self._sizes, self._body = encode_header(record["reply"]), record["attachments"], body
        if at < self._length:
            os.ftruncate(self._fd, at)
            self._length = at
        if started:
            reply = died_reply(LOST, started.get("fresh") is True)
            self.finish(int(started["k"]), str(started["sha"]), reply, [])

    def _append(self, record: dict[str, Any]) -> None:
        self._append_bytes(_sealed(pack_frame(encode_header(record), b"")))

    def _append_bytes(self, data: bytes) -> None:
        try:
            _write(self._fd, data)
            if self._durable:
                os.fdatasync(self._fd)
        except OSError:
            # What a full disk took of a record would hide what comes after it.
            os.ftruncate(self._fd, self._length)
            raise
        self._length += len(data)

    def _replace(self) -> None:
        new = self._path + ".new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            data = self._done()
            _write(fd, data)
            if self._durable:
                os.fsync(fd)
            os.rename(new, self._path)
        except OSError:
            os.close(fd)
            raise
        if self._durable:
            _sync_folder(os.path.dirname(self._path))
        os.close(self._fd)
        self._fd, self._length = fd, len(data)


def _with_reply(header: dict[str, Any], reply: bytes) -> bytes:
    """The header with an already encoded reply in it."""
    return encode_header(header)[:-1] + b',"reply":' + reply + b"}"


def _sealed(frame: bytes) -> bytes:
    return frame + _CRC.pack(zlib.crc32(frame))


def _end_of_record(data: memoryview, at: int) -> int | None:
    """Where the record at `at` ends; None when there is no whole one."""
    if len(data) - at < _LENGTHS.size:
        return None
    header_bytes, body_bytes = _LENGTHS.unpack_from(data, at)
    end: int = at + _LENGTHS.size + header_bytes + body_bytes
    if header_bytes > 2 * MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES or len(data) < end + _CRC.size:
        return None
    return end + _CRC.size if _CRC.unpack_from(data, end)[0] == zlib.crc32(data[at:end]) else None


def _read_record(data: memoryview) -> tuple[dict[str, Any], bytes]:
    header_bytes, body_bytes = _LENGTHS.unpack_from(data)
    start = _LENGTHS.size + header_bytes
    return json.loads(bytes(data[_LENGTHS.size : start])), bytes(data[start : start + body_bytes])


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
