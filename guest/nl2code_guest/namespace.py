"""What a cell finds around it: its module, its streams, its builtins."""

from __future__ import annotations

import faulthandler
import io
import os
import sys
import types
from typing import Any


def make_namespace() -> dict[str, Any]:
    """A fresh `__main__`: pickle finds a cell's classes in it, and a spawned worker finds nothing to run again."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    module.__dict__["__builtins__"] = sys.modules["builtins"]
    return module.__dict__


#: Holds the module `nl2code`.
_IMPORTABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "importable")


def enter_workspace(workspace: str) -> None:
    """Works in the workspace and finds its modules after the libraries, so that none hides one; ours come last."""
    os.chdir(workspace)
    sys.path += [workspace, _IMPORTABLE]
    # Programs that a cell starts find it too: they can call nothing, and are told so.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), _IMPORTABLE)))
    sys.argv = [""]


def open_streams() -> None:
    """Python's own streams over descriptors 0 to 2, written line by line."""
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for name, fd in (("stdout", 1), ("stderr", 2)):
        raw = io.BufferedWriter(io.FileIO(fd, "wb", closefd=False), 1 << 16)
        stream = io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    faulthandler.enable(file=sys.stderr)


def flush_streams() -> None:
    """Writes out what the cell has printed; a stream that the cell closed or replaced by something odd is left out."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        try:
            if stream is None or stream.closed:
                open_streams()
            else:
                stream.flush()
        except Exception:
            continue
