"""Files: a closed one stays closed, an open one is refused."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.refusals import Refused

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling


def reduce_file(_pickling: Pickling, file: Any) -> Any:
    """A closed file as a closed file; an open one is refused."""
    if not file.closed:
        raise Refused("file")
    layer = file.buffer if isinstance(file, io.TextIOWrapper) else file
    name = getattr(getattr(layer, "raw", layer), "name", None)
    encoding = file.encoding if isinstance(file, io.TextIOWrapper) else None
    return make_closed_file, (type(file).__name__, str(getattr(file, "mode", "r")), encoding, name)


def make_closed_file(kind_of: str, mode: str, encoding: str | None, name: Any) -> Any:
    """A file that was closed, under its name."""
    harmless = mode.replace("x", "w").replace("t", "").replace("b", "").replace("U", "")
    if kind_of == "TextIOWrapper":
        file: Any = open(os.devnull, harmless, encoding=encoding)  # noqa: SIM115
        file.mode = mode
    else:
        buffering = 0 if kind_of == "FileIO" else -1
        file = open(os.devnull, harmless + "b", buffering)  # noqa: SIM115
    layer = getattr(file, "buffer", file)
    getattr(layer, "raw", layer).name = name
    file.close()
    return file
