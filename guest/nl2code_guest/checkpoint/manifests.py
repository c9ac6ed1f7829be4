"""Manifests: one sealed file per committed cell. The rename of a manifest is the only commit there is.

The init owns the folder; it imports nothing but the standard library here and never looks into a state.

`00000007.manifest` is one frame (u32 header length, u32 body length, header, body; see `frames`) and a seal: the sha256
of the frame. The header is a JSON object; the body is the reply's images one after another, then the state. The
sha256 of the whole file is the manifest's name to others: the next one carries it as `parent.sha`.

| header field | |
|---|---|
| `type`, `format` | `manifest`, 1; set here |
| `session`, `k`, `sha`, `code`, `want`, `reply`, … | the caller's; only `k` is looked at here |
| `parent` | `{"k": int, "sha": str}` or null. Numbers may have gaps: a manifest can cover several cells |
| `full` | optional; true when the state stands by itself, so that its chain begins here and nothing older is needed |
| `attachments`, `stateBytes` | sizes of the images and of the state; set here |

Laws:
1. A manifest appears whole or not at all. What a crash leaves is `new.tmp`, which nobody reads and the next write
   replaces.
2. A write that fails (disk full, say) raises OSError and leaves the folder as it was.
3. A manifest counts when its seal holds and its chain does: each parent is there, has the named sha and counts itself,
   back to a `full` one or to one without a parent. So a torn file makes an older manifest the newest, not an error,
   and damage older than the last full state costs nothing.
4. Who goes on from an older manifest first removes the newer ones (`discard_after`), newest first: a later manifest may
   skip numbers, and would else be taken for the continuation of what was left behind.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from nl2code_guest.checkpoint.fail_points import fail_point
from nl2code_guest.checkpoint.machine_trouble import is_passing
from nl2code_guest.folder_sync import sync_folder
from nl2code_guest.frames import MAX_HEADER_BYTES, encode_header
from nl2code_guest.whole_writes import write_whole

if TYPE_CHECKING:
    import hashlib

MAX_STATE_BYTES = 64 << 20
#: Images of a reply and the state.
_MAX_BODY_BYTES = MAX_STATE_BYTES + (32 << 20)
#: A header holds a cell's code and a reply that went over the wire as a header of its own.
_MAX_HEADER_BYTES = 2 * MAX_HEADER_BYTES
_FORMAT = 1
_LENGTHS = struct.Struct(">II")
_SEAL_BYTES = 32
_JOIN_BYTES = 1 << 20
_NAME = re.compile(r"(\d{8}|[1-9]\d{8,11})\.manifest")


class Torn(ValueError):
    """A manifest is missing, cut, altered or not of this form; the message is one sentence."""


class Manifest(NamedTuple):
    """One committed cell as it was read."""

    header: dict[str, Any]
    images: list[bytes]
    state: bytes
    #: Of the file's bytes, in hex.
    sha: str

    @property
    def k(self) -> int:
        """Number of the cell, the last one when it covers several."""
        return int(self.header["k"])


def write_manifest(folder: str, header: dict[str, Any], images: list[bytes], state: bytes, durable: bool) -> str:
    """Commits a cell: a manifest of this `k` that was there is replaced. Makes the folder when it is missing.

    Returns:
        The sha256 of the file in hex: `parent.sha` of the next manifest.

    Raises:
        OSError: it could not be written; nothing has changed (but when only the folder could not be synced after the
            rename, the manifest stands).
        ValueError: state or images are larger than a manifest can hold.
    """
    sizes = [len(image) for image in images]
    whole = {**header, "type": "manifest", "format": _FORMAT, "attachments": sizes, "stateBytes": len(state)}
    head = encode_header(whole)
    if len(head) > _MAX_HEADER_BYTES or len(state) > MAX_STATE_BYTES or sum(sizes) + len(state) > _MAX_BODY_BYTES:
        raise ValueError(f"A manifest can't hold a header of {len(head)} and a state of {len(state)} bytes.")
    parts = [_LENGTHS.pack(len(head), sum(sizes) + len(state)), head, *images, state]
    digest = _sha256()
    for part in parts:
        digest.update(part)
    parts.append(digest.digest())
    digest.update(parts[-1])
    new = os.path.join(folder, "new.tmp")
    fd = _create(new)
    try:
        try:
            at = 0
            # One write for all but the largest: each costs as much as some kilobytes.
            for part in parts if sum(map(len, parts)) > _JOIN_BYTES else (b"".join(parts),):
                at = write_whole(fd, part, at)
            if durable:
                os.fdatasync(fd)
        finally:
            os.close(fd)
        fail_point("manifest-not-renamed")
        os.rename(new, _path(folder, int(header["k"])))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    if durable:
        sync_folder(folder)
    return digest.hexdigest()


def read_manifest(folder: str, k: int) -> Manifest:
    """The manifest of cell `k`, sealed as it was written; its parents are not looked at.

    Raises:
        Torn: there is none that can be trusted.
    """
    path = _path(folder, k)
    data = _read(path)
    size = len(data) - _SEAL_BYTES
    if size < _LENGTHS.size:
        raise Torn(f"The manifest {path!r} is cut.")
    digest = _sha256(data[:size])
    if digest.digest() != data[size:]:
        raise Torn(f"The manifest {path!r} is cut or altered.")
    digest.update(data[size:])
    header_bytes, body_bytes = _LENGTHS.unpack_from(data)
    at = _LENGTHS.size + header_bytes
    if at + body_bytes != size:
        raise Torn(f"The manifest {path!r} has lengths that don't fit.")
    header = _header(path, bytes(data[_LENGTHS.size : at]), k)
    images = []
    for length in header["attachments"]:
        images.append(bytes(data[at : at + length]))
        at += length
    if size - at != header["stateBytes"]:
        raise Torn(f"The manifest {path!r} has sizes that don't fit.")
    return Manifest(header, images, bytes(data[at:size]), digest.hexdigest())


def newest(folder: str, before: int | None = None) -> Manifest | None:
    """The newest manifest that counts, of those older than `before` when it is given; None when there is none."""
    for k in reversed(numbers(folder)):
        if before is not None and k >= before:
            continue
        try:
            head = read_manifest(folder, k)
            for _ in _ancestors(folder, head):
                pass
        except Torn:
            continue
        return head
    return None


def chain(folder: str, head: Manifest) -> list[Manifest]:
    """What `head`'s state builds on, oldest first and `head` last; the images of all but `head` are left out.

    Raises:
        Torn: a parent is missing or is not the one that was meant.
    """
    parents = [parent._replace(images=[]) for parent in _ancestors(folder, head)]
    return [*reversed(parents), head]


def numbers(folder: str) -> list[int]:
    """Cells that have a manifest, whole or not, in ascending order."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def discard_after(folder: str, k: int, durable: bool) -> None:
    """Removes the manifests newer than `k` (-1: all), before a session goes on from there; raises OSError."""
    newer = [number for number in numbers(folder) if number > k]
    for number in reversed(newer):
        os.unlink(_path(folder, number))
        if durable:
            sync_folder(folder)


def _sha256(data: memoryview | bytes = b"") -> hashlib._Hash:
    # OpenSSL takes milliseconds to load, which a guest without manifests does not have to wait for.
    import hashlib

    return hashlib.sha256(data)


def _ancestors(folder: str, manifest: Manifest) -> Iterator[Manifest]:
    while manifest.header.get("full") is not True and (pointer := manifest.header["parent"]) is not None:
        parent = read_manifest(folder, pointer["k"])
        if parent.sha != pointer["sha"]:
            raise Torn(f"The manifest of cell {manifest.k} follows another one of cell {parent.k}.")
        yield parent
        manifest = parent


def _path(folder: str, k: int) -> str:
    return os.path.join(folder, f"{k:08}.manifest")


def _read(path: str) -> memoryview:
    """The bytes of a file that code of a cell may have put there: no link, no pipe, no endless size."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_HEADER_BYTES + _MAX_BODY_BYTES + 1024:
                raise Torn(f"The manifest {path!r} is no file, or larger than any manifest.")
            return memoryview(file.read(found.st_size))
    except OSError as error:
        if is_passing(error) and error.errno != errno.EIO:
            raise
        raise Torn(f"The manifest {path!r} can't be read: {error.strerror}.") from error


def _header(path: str, data: bytes, k: int) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Torn(f"The manifest {path!r} has a header that is not JSON.") from error
    sound = (
        isinstance(header, dict)
        and header.get("type") == "manifest"
        and header.get("format") == _FORMAT
        and header.get("k") == k
        and _is_parent(header.get("parent"), k)
        and isinstance(header.get("attachments"), list)
        and all(_is_size(size) for size in (*header["attachments"], header.get("stateBytes")))
    )
    if not sound:
        raise Torn(f"The manifest {path!r} has a header that no guest of this version has written.")
    assert isinstance(header, dict)
    return header


def _is_parent(value: object, k: int) -> bool:
    if value is None:
        return True
    return isinstance(value, dict) and _is_size(value.get("k")) and value["k"] < k and isinstance(value.get("sha"), str)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _create(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        os.unlink(path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    return os.open(path, flags, 0o600)
