"""Named places where a test has the process killed, as a machine that dies there would.

A file in the checkpoint's folder `fail-points` that bears the name of a place is used up (unlinked) by the process that
dies there, so that each file is one death. Without one a place costs a system call.
"""

from __future__ import annotations

import os
import signal
from typing import Literal

FailPoint = Literal[
    "segment-half-written",
    "segment-renamed-manifest-not",
    "manifest-not-renamed",
    "manifest-renamed-reply-not-sent",
    "cell-ran-nothing-saved",
    "before-tool-call",
    "tool-answered",
    "restore-half-done",
    "forked-save-half",
]

_folder: str | None = None


def arm(checkpoint: str) -> None:
    """Says where to look; every process that has any of the places calls this at its start."""
    global _folder
    _folder = os.path.join(checkpoint, "fail-points")


def fail_point(name: FailPoint) -> None:
    """Ends this process, without any of its handlers, when a test asks for it here."""
    if _folder is None:
        return
    try:
        os.unlink(os.path.join(_folder, name))
    except OSError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
    # The kernel drops even a SIGKILL that the first process of a namespace sends to itself.
    os._exit(137)
