"""How a check answers the host: one JSON document between lines that only this run knows."""

from __future__ import annotations

import json
import sys


def emit(mark: str, value: object) -> None:
    """Prints ``value`` as JSON between two lines of ``mark``.

    Args:
        mark: Random text the host made for this one cell; what else is printed can't imitate it.
        value: Anything ``json.dumps`` takes.
    """
    sys.stdout.write(f"\n{mark}\n{json.dumps(value)}\n{mark}\n")
    sys.stdout.flush()
