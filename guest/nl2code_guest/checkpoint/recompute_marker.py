"""A file that stands in the checkpoint folder while cells are run again for a restore.

A kernel that dies then leaves it: the next one puts the workspace back first, and after a few deaths tries no more.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

#: Deaths after which nothing is run again.
MOST_ATTEMPTS = 3
_MAX_BYTES = 64 << 20
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


class RecomputeMarker:
    """The marker of one checkpoint folder."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "recomputing")
        #: How often it was tried, and what the workspace was before, as `{path: entry}`; None when it was not moved.
        self.attempts = 0
        self.workspace: dict[str, Any] | None = None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                found = _decode(file.read(_MAX_BYTES).decode("ascii"))
            self.workspace = None if found["workspace"] is None else dict(found["workspace"])
            self.attempts = int(found["attempts"])

    def write(self, workspace: dict[str, Any] | None) -> None:
        """Sets it. Raises OSError when it can't be written; nothing may be run again then."""
        text = _encode({"attempts": self.attempts, "workspace": workspace})
        new = self._path + ".tmp"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(text.encode("ascii"))
        os.rename(new, self._path)
        self.workspace = workspace

    def remove(self) -> None:
        """Takes it away."""
        self.attempts, self.workspace = 0, None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
