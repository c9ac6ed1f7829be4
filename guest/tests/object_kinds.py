"""Every kind of object that a session is known to keep, or to refuse: the table behind docs/object-coverage.md.

The page is written anew with `python tests/object_kinds.py > ../docs/object-coverage.md` in `guest/`.
"""

from __future__ import annotations

from kinds_of_classes import CLASSES
from kinds_of_data import DATA
from kinds_of_functions import FUNCTIONS
from kinds_of_library import LIBRARY
from kinds_of_models import MODELS
from kinds_of_numpy import NUMPY
from kinds_of_pandas import PANDAS
from kinds_of_refused import REFUSED
from kinds_of_tables import POLARS, PYARROW
from object_kind import Kind

KINDS: list[Kind] = [
    *DATA,
    *FUNCTIONS,
    *CLASSES,
    *LIBRARY,
    *NUMPY,
    *PANDAS,
    *PYARROW,
    *POLARS,
    *MODELS,
    *REFUSED,
]

_HEAD = """# What a session keeps

After every cell the session's variables are saved; a kernel or sandbox that dies is followed by another one in which
they are there again. This is the table of what that covers. Every row is run: one process makes the object and saves
it, a second one loads it and saves it again, a third one loads that and looks at it.

What is *made again* can't be saved: the cell that made it runs once more where that is safe, and if not, the model is
told the sentence on the right. Two variables that share an object share it afterwards.

Written by `guest/tests/object_kinds.py`, checked by `guest/tests/test_object_coverage.py`.
"""


def page() -> str:
    """docs/object-coverage.md."""
    parts = [_HEAD]
    for name in dict.fromkeys(kind.group for kind in KINDS):
        rows = [f"| {kind.what} | {_outcome(kind)} | {_remark(kind)} |\n" for kind in KINDS if kind.group == name]
        parts.append(f"\n## {name}\n\n| kind | outcome | |\n|---|---|---|\n{''.join(rows)}")
    return "".join(parts)


def _outcome(kind: Kind) -> str:
    return "made again" if kind.refusal else "kept"


def _remark(kind: Kind) -> str:
    needs = f"needs {kind.needs}, which the runtime does not bring: tried where it is installed" if kind.needs else ""
    return "; ".join(part for part in (kind.message, kind.note, needs) if part)


if __name__ == "__main__":
    print(page(), end="")
