"""The links by which a session's inputs show in its workspace.

The host makes them: `/workspace/sales.csv` leads to `/inputs/sales.csv`, or without isolation to the folder `inputs`
beside the workspace. Inputs never change and are the host's to bring along: a state says only that the link is there.
"""

from __future__ import annotations

import contextlib
import os


class InputLinks:
    """Knows and makes the input links of a workspace."""

    def __init__(self, workspace: str) -> None:
        parents = {os.path.dirname(os.path.abspath(workspace)), os.path.dirname(os.path.realpath(workspace))}
        self._folders = [os.path.join(parent, "inputs") for parent in sorted(parents)]

    def is_one(self, name: str, top: int) -> bool:
        """Whether this name in the open workspace is an input link."""
        with contextlib.suppress(OSError):
            target = os.readlink(name, dir_fd=top)
            return any(target == os.path.join(folder, name) for folder in self._folders)
        return False

    def target(self, name: str) -> str | None:
        """Where a link to this input has to lead; None when this machine does not have it."""
        for folder in self._folders:
            if os.path.lexists(os.path.join(folder, name)):
                return os.path.join(folder, name)
        return None
