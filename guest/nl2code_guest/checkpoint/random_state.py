"""The state of the two global random generators, Python's and numpy's, as JSON."""

from __future__ import annotations

import random
import struct
import sys
from base64 import b64decode, b64encode
from typing import Any

_WORDS = struct.Struct("<625I")
_modules = sys.modules
#: The instance, since a cell may replace the functions of its module.
_python = random._inst


def capture_random() -> dict[str, Any]:
    """Both states; numpy's only when a cell has imported it."""
    version, words, gauss = _python.getstate()
    found: dict[str, Any] = {"python": [version, _text(_WORDS.pack(*words)), gauss]}
    numpy_random = _modules.get("numpy.random")
    if numpy_random is not None:
        state = numpy_random.get_state(legacy=False)
        # Another generator than numpy's own can be set; it keeps its start.
        if state["bit_generator"] == "MT19937":
            inner = state["state"]
            found["numpy"] = [_text(inner["key"].tobytes()), inner["pos"], state["has_gauss"], state["gauss"]]
    return found


def restore_random(saved: dict[str, Any]) -> None:
    """Sets both generators as they were captured."""
    version, words, gauss = saved["python"]
    _python.setstate((version, _WORDS.unpack(b64decode(words)), gauss))
    if "numpy" in saved:
        import numpy

        key, pos, has_gauss, numpy_gauss = saved["numpy"]
        words_of = numpy.frombuffer(b64decode(key), dtype=numpy.uint32)
        numpy.random.set_state(("MT19937", words_of, pos, has_gauss, numpy_gauss))


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
