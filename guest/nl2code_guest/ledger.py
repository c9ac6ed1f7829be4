"""The ledger: which cells were started and how they ended, so that no cell ever runs twice.

Owned by the init; the kernel has no descriptor of it. One file per cell, replaced by rename:
`<k>.json` says `started` before the cell runs and `done` with the reply after; `<k>.bin` holds the reply's images.
Invariants: (1) both marks are on disk before the host is told; (2) a cell found `started` when the ledger is opened has
lost its kernel: it is recorded as `kernel-died` and never run; (3) only the head can be asked for, so older entries go;
(4) the highest epoch seen survives the init.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import Any

from nl2code_guest.frames import encode_header, pack_frame
from nl2code_guest.host_messages import Epoch, to_epoch
from nl2code_guest.reply import WireReply, died_reply

LOST = (
    "The sandbox ended while this cell ran: whether its effects happened is not known, and the kernel's variables are "
    "gone. Files are still there; look at what the cell left before you go on."
)
DAMAGED = "The ledger's entry of this cell is damaged: whether its effects happened is not known."
_MAX_ENTRY_BYTES = 8 << 20
_MAX_BODY_BYTES = 64 << 20


class LedgerError(RuntimeError):
    """The folder holds a ledger of another session, or can't be used; the message is one sentence."""


class Ledger:
    """The cells of one session in one folder."""

    def __init__(self, folder: str, session: str, durable: bool) -> None:
        self._folder = folder
        self._session = session
        self._durable = durable
        #: Last cell that has a result, -1 when none.
        self.head = -1
        self.epoch: Epoch = (0, 0)
        self._sha: str | None = None
        self._reply = b""
        self._sizes: list[int] = []
        self._body = b""
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            self._load()
        except OSError as error:
            raise LedgerError(f"The ledger {folder!r} can't be used: {error.strerror}.") from error

    def answers(self, k: int, sha: str) -> bool:
        """Whether `k` is the head and was this code."""
        return k == self.head >= 0 and self._sha in (None, sha)

    def stored(self, sha: str) -> bytes:
        """The head's `done` frame as the ledger answers it."""
        return self._frame(sha, cached=True)

    def raise_epoch(self, epoch: Epoch) -> None:
        """Remembers a higher epoch; a lower one changes nothing."""
        if epoch > self.epoch:
            self.epoch = epoch
            self._write("epoch.json", encode_header({"epoch": epoch}))

    def start(self, k: int, sha: str, epoch: Epoch, fresh: bool) -> None:
        """Marks `k` as started."""
        self.epoch = max(epoch, self.epoch)
        self._write(f"{k}.json", encode_header({**self._mark(k, sha, "started"), "fresh": fresh}))
        for name in (f"{k - 1}.bin", f"{k - 2}.json"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self._folder, name))

    def finish(self, k: int, sha: str | None, reply: WireReply, attachments: list[bytes]) -> bytes:
        """Records how `k` ended and returns the `done` frame for the host."""
        self._sha = sha
        self._reply = encode_header(reply)
        self._sizes = [len(part) for part in attachments]
        self._body = b"".join(attachments)
        mark = encode_header({**self._mark(k, sha, "done"), "attachments": self._sizes})
        # On a full disk the mark stays `started`: a later init answers `kernel-died`, which is safe, and this one
        # answers from memory.
        with contextlib.suppress(OSError):
            if self._body:
                self._write(f"{k}.bin", self._body)
            self._write(f"{k}.json", mark[:-1] + b',"reply":' + self._reply + b"}")
        self.head = k
        return self._frame(sha or "", cached=False)

    def _frame(self, sha: str, cached: bool) -> bytes:
        header = encode_header(
            {"type": "done", "k": self.head, "sha": sha, "cached": cached, "attachments": self._sizes}
        )
        return pack_frame(header[:-1] + b',"reply":' + self._reply + b"}", self._body)

    def _mark(self, k: int, sha: str | None, state: str) -> dict[str, Any]:
        return {"version": 1, "session": self._session, "k": k, "sha": sha, "state": state, "epoch": self.epoch}

    def _load(self) -> None:
        cells = [int(name[:-5]) for name in os.listdir(self._folder) if re.fullmatch(r"[0-9]{1,15}\.json", name)]
        stored = to_epoch((self._read_json("epoch.json") or {}).get("epoch"))
        self.epoch = stored or self.epoch
        if not cells:
            return
        k = max(cells)
        entry = self._read_json(f"{k}.json") or {}
        if "session" in entry and entry["session"] != self._session:
            raise LedgerError(f"The ledger {self._folder!r} belongs to session {entry['session']!r}.")
        self.epoch = max(self.epoch, to_epoch(entry.get("epoch")) or (0, 0))
        sha = entry.get("sha")
        if entry.get("state") == "done" and isinstance(sha, str | None) and isinstance(entry.get("reply"), dict):
            self.head, self._sha, self._reply = k, sha, encode_header(entry["reply"])
            self._load_body(k, entry)
        elif entry.get("state") == "started" and isinstance(sha, str):
            self.finish(k, sha, died_reply(LOST, entry.get("fresh") is True), [])
        else:
            self.finish(k, None, died_reply(DAMAGED, True), [])

    def _load_body(self, k: int, entry: dict[str, Any]) -> None:
        sizes = entry.get("attachments")
        if not isinstance(sizes, list) or not sizes:
            return
        body = self._read(f"{k}.bin", _MAX_BODY_BYTES) or b""
        if all(type(size) is int and size >= 0 for size in sizes) and sum(sizes) == len(body):
            self._sizes, self._body = sizes, body
            return
        # Without its images the reply still stands; what points at them would point at nothing.
        for shown in [entry["reply"].get("result"), *(entry["reply"].get("displays") or [])]:
            if isinstance(shown, dict):
                shown["images"] = {}
        self._reply = encode_header(entry["reply"])

    def _read_json(self, name: str) -> dict[str, Any] | None:
        data = self._read(name, _MAX_ENTRY_BYTES)
        try:
            value = json.loads(data) if data else None
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def _read(self, name: str, most: int) -> bytes | None:
        try:
            fd = os.open(os.path.join(self._folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        with open(fd, "rb") as file:
            data = file.read(most + 1)
        return data if len(data) <= most else None

    def _write(self, name: str, data: bytes) -> None:
        path = os.path.join(self._folder, name)
        new = path + ".new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(new, flags, 0o600)
        except FileExistsError:
            os.unlink(new)
            fd = os.open(new, flags, 0o600)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            if self._durable:
                os.fdatasync(fd)
        finally:
            os.close(fd)
        os.rename(new, path)
        if self._durable:
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
