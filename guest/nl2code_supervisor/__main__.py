"""`python3 -s -P -m nl2code_supervisor`: spec on standard input, one JSON line on descriptor 3 when the sandbox stands.

Exit codes: 0 the sandbox lived and ended, 1 it did not start, 75 another supervisor has the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

from .spec import SpecError, read_spec
from .supervise import Refused, Supervisor

READY_FD = 3


def main() -> int:
    """Runs one supervisor; returns its exit code."""
    os.umask(0o077)
    _close_strays()
    try:
        spec = read_spec(0)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        supervisor = Supervisor(spec)
    except (Refused, SpecError) as error:
        code = error.code if isinstance(error, Refused) else "failed"
        _report({"ok": False, "code": code, "message": str(error)})
        return 75 if code == "locked" else 1
    _report({"ok": True, "hashSeed": supervisor.state.hashSeed, "memoryLimit": supervisor.state.memoryLimit})
    why = "failed: the supervisor met an error of its own"
    try:
        why = supervisor.serve()
    finally:
        supervisor.finish(why)
    return 0


def _close_strays() -> None:
    """Closes what was inherited by accident, so that no sandbox can hold a file or socket of the worker open."""
    listing = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    for name in os.listdir(listing):
        if int(name) > READY_FD:
            with contextlib.suppress(OSError):
                os.close(int(name))
    os.set_inheritable(READY_FD, False)


def _report(told: dict[str, object]) -> None:
    # A worker that has died since does not matter here: the lease decides.
    with contextlib.suppress(OSError):
        os.write(READY_FD, json.dumps(told).encode() + b"\n")
    os.close(READY_FD)


if __name__ == "__main__":
    sys.exit(main())
