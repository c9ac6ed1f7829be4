"""One kind of setting: how its differences are read and set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Setting(NamedTuple):
    """`capture` tells the names and values that differ from a start; `restore` makes exactly those differ."""

    capture: Callable[[], dict[str, Any]]
    restore: Callable[[dict[str, Any]], None]
