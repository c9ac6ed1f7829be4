"""The journal: what an init has to know of cells that have no manifest, and the highest epoch.

Owned by the init; the kernel has no descriptor of it. A file of frames, each followed by its CRC. Room is reserved
ahead, so that cells can be started on a full disk, which is where a cell that deletes files is needed most.

| record | written | says |
|---|---|---|
| `epoch` | when a higher one is seen | who is fenced |
| `started` `k`, `sha`, `run` | before a cell runs | one death more, if no manifest follows |
| `at-start` `k` + body | before the first statement of a cell | what came into the workspace from outside |
| `ended` `k`, `sha` | when a cell was told and not saved | its runs count no longer |
| `dirty` `k` | before cell `k` is committed with nothing of what it did | the workspace holds traces of it |
| `clean` `k` | when the workspace is that of `k` again | |

Invariants: (1) a record that a crash cut off counts as not written, and nothing had been told of it; (2) what a
manifest covers is forgotten, so that the file stays short; (3) the highest epoch is never forgotten.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from typing import Any

from nl2code_guest.folder_sync import sync_folder
from nl2code_guest.frames import MAX_BODY_BYTES, MAX_HEADER_BYTES, encode_header, pack_frame
from nl2code_guest.host_messages import Epoch, to_epoch
from nl2code_guest.whole_writes import write_whole

#: A journal that is longer is replaced by the records that still count.
_LONG_BYTES = 1 << 20
_MAX_JOURNAL_BYTES = 256 << 20
#: Room that is kept ahead: some hundreds of cells.
_RESERVE_BYTES = 64 << 10
#: Records about the workspace, whatever the cell.
_WORKSPACE = ("dirty", "clean")
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")


class JournalError(ValueError):
    """The journal is of another session, or can't be read; the message is one sentence."""


class Journal:
    """The journal of one session in one folder."""

    def __init__(self, folder: str, session: str, durable: bool) -> None:
        """Raises OSError and JournalError."""
        self._path = os.path.join(folder, "journal")
        self._session = session
        self._durable = durable
        self.epoch: Epoch = (0, 0)
        #: Whether cells of a release without manifests stand in it, whose results are of no use any more.
        self.outdated = False
        self._runs: dict[tuple[int, str], int] = {}
        self._at_start: dict[int, bytes] = {}
        #: What left traces in the workspace last: `started` or `dirty`, and the cell.
        self._traces: tuple[str, int] | None = None
        #: Records that still count: kind, cell and bytes.
        self._live: list[tuple[str, int, bytes]] = []
        self._fd = -1
        self._length = 0
        self._reserved = 0
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._load()

    def runs(self, k: int, sha: str) -> int:
        """How often cell `k` was started without a result that was told."""
        return self._runs.get((k, sha), 0)

    def at_start(self, k: int) -> bytes | None:
        """What came into the workspace from outside before cell `k`."""
        return self._at_start.get(k)

    def has_traces(self, head: int) -> bool:
        """Whether the workspace may hold what a cell without a manifest did, when `head` is the last that has one."""
        if self._traces is None:
            return False
        kind, k = self._traces
        return k > head or (kind == "dirty" and k == head)

    def raise_epoch(self, epoch: Epoch) -> None:
        """Remembers a higher epoch; a lower one changes nothing. Raises OSError when it can't be written."""
        if epoch > self.epoch:
            self.epoch = epoch
            self._append({"type": "epoch", "k": -1})

    def start(self, k: int, sha: str, epoch: Epoch) -> int:
        """Records that `k` is about to run and returns which run it is, from 1. Raises OSError."""
        self.epoch = max(epoch, self.epoch)
        run = self.runs(k, sha) + 1
        self._append({"type": "started", "k": k, "sha": sha, "run": run})
        return run

    def note_at_start(self, k: int, changes: bytes) -> None:
        """Records what came into the workspace before `k`. Raises OSError."""
        self._append({"type": "at-start", "k": k}, changes)

    def end(self, k: int, sha: str) -> None:
        """Records that `k` has a result that no manifest holds yet. Raises OSError.

        The next record takes it to the disk: the reply would wait for that, beside whatever a child is saving, and all
        that a loss of power can do meanwhile is to count one run more.
        """
        self._append({"type": "ended", "k": k, "sha": sha}, synced=False)

    def dirty(self, k: int) -> None:
        """Records that the workspace is not what the manifest of `k`, written next, will say. Raises OSError."""
        self._append({"type": "dirty", "k": k})

    def clean(self, k: int) -> None:
        """Records that the workspace is that of `k`. Raises OSError."""
        self._append({"type": "clean", "k": k})

    def settle(self, k: int) -> None:
        """Forgets what was written of cells up to `k`, which have their manifest."""
        self._runs = {cell: run for cell, run in self._runs.items() if cell[0] > k}
        self._at_start = {cell: changes for cell, changes in self._at_start.items() if cell > k}
        self._live = [record for record in self._live if record[1] > k or record[0] in _WORKSPACE]
        if self._length > _LONG_BYTES:
            with contextlib.suppress(OSError):
                self._replace()

    # --- records ---------------------------------------------------------------------------------------------------

    def _append(self, record: dict[str, Any], body: bytes = b"", synced: bool = True) -> None:
        data = _sealed(pack_frame(encode_header({**record, "session": self._session, "epoch": self.epoch}), body))
        self._make_room(len(data))
        write_whole(self._fd, data, self._length)
        if self._durable and synced:
            os.fdatasync(self._fd)
        self._length += len(data)
        self._take(record, body, data)

    def _take(self, record: dict[str, Any], body: bytes, data: bytes) -> None:
        kind, k = str(record["type"]), int(record["k"])
        cell = (k, str(record.get("sha")))
        if kind == "started":
            self._runs[cell] = max(int(record["run"]), self._runs.get(cell, 0))
            self._traces = ("started", k)
        elif kind == "at-start":
            self._at_start[k] = body
        elif kind == "ended":
            self._runs.pop(cell, None)
        elif kind == "dirty":
            self._traces = ("dirty", k)
        elif kind == "clean":
            self._traces = None
        if kind in _WORKSPACE:
            # The last one says it all.
            self._live = [record for record in self._live if record[0] not in _WORKSPACE]
        if kind != "epoch":
            self._live.append((kind, k, data))

    # --- the file --------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._fd = _open(self._path, os.O_CREAT)
        size = os.fstat(self._fd).st_size
        if size > _MAX_JOURNAL_BYTES:
            raise JournalError(f"The ledger {self._path!r} is larger than {_MAX_JOURNAL_BYTES} bytes.")
        with open(self._fd, "rb", closefd=False) as file:
            data = memoryview(file.read())
        at = 0
        try:
            while (end := _end_of_record(data, at)) is not None:
                record, body = _read_record(data[at:end])
                self._check(record)
                if record["type"] == "done" or (record["type"] == "started" and "run" not in record):
                    self.outdated = True
                else:
                    self._take(record, body, bytes(data[at:end]))
                at = end
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            if isinstance(error, JournalError):
                raise
            raise JournalError(f"The ledger {self._path!r} holds a record that no guest has written.") from error
        if bytes(data[at:]).strip(b"\0"):
            # What a crash cut off must not be read behind what comes in its place.
            os.ftruncate(self._fd, at)
            size = at
        self._length, self._reserved = at, size

    def _check(self, record: dict[str, Any]) -> None:
        if record.get("session") != self._session:
            raise JournalError(f"The ledger {self._path!r} belongs to session {record.get('session')!r}.")
        self.epoch = max(self.epoch, to_epoch(record.get("epoch")) or (0, 0))

    def _make_room(self, size: int) -> None:
        end = self._length + size
        if end + _RESERVE_BYTES // 2 <= self._reserved or not hasattr(os, "posix_fallocate"):
            return
        try:
            os.posix_fallocate(self._fd, 0, end + _RESERVE_BYTES)
            self._reserved = end + _RESERVE_BYTES
        except OSError:
            if end > self._reserved:
                raise

    def _replace(self) -> None:
        new = self._path + ".new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        epoch = encode_header({"type": "epoch", "k": -1, "session": self._session, "epoch": self.epoch})
        data = b"".join([_sealed(pack_frame(epoch, b"")), *(record for _, _, record in self._live)])
        fd = _open(new, os.O_CREAT | os.O_EXCL)
        try:
            write_whole(fd, data, 0)
            if self._durable:
                os.fsync(fd)
            os.rename(new, self._path)
        except OSError:
            os.close(fd)
            raise
        if self._durable:
            sync_folder(os.path.dirname(self._path))
        os.close(self._fd)
        self._fd, self._length, self._reserved = fd, len(data), len(data)


def _open(path: str, flags: int) -> int:
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)


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


def _read_record(data: memoryview | bytes) -> tuple[dict[str, Any], bytes]:
    header_bytes, body_bytes = _LENGTHS.unpack_from(data)
    start = _LENGTHS.size + header_bytes
    return json.loads(bytes(data[_LENGTHS.size : start])), bytes(data[start : start + body_bytes])
