"""Which warnings the cells have had, so that one that is shown once per place is not shown again by another kernel.

Python keeps them in the namespace, under `__warningregistry__`, with the number of changes that the filters had seen; a
registry with another number is out of date and counts as empty. That number is another one in every process.
"""

from __future__ import annotations

import _warnings
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nl2code_guest.checkpoint.setting import Setting

REGISTRY = "__warningregistry__"

_MOST, _MOST_CHARS = 1_000, 64 << 10


class _NoWarning(Warning):
    """No warning has this class."""


def warnings_given(namespace: dict[str, Any]) -> Setting:
    """The setting of one namespace. Restored after the filters, whose change makes every registry out of date."""

    def capture() -> dict[str, Any]:
        registry = namespace.get(REGISTRY)
        if (
            type(registry) is not dict
            or not 2 <= len(registry) <= _MOST
            or registry.get("version") != _filters_version()
        ):
            return {}
        entries = tuple(filter(None, map(_shown, registry)))
        # Each state tells them all. Where there are too many, some may be shown again.
        return {"entries": entries} if 0 < sum(len(entry[0]) for entry in entries) <= _MOST_CHARS else {}

    def restore(values: dict[str, Any]) -> None:
        entries = values.get("entries", ())
        found = {key: True for key in map(_made, entries) if key is not None}
        if found:
            namespace[REGISTRY] = {"version": _filters_version(), **found}
        else:
            namespace.pop(REGISTRY, None)

    return Setting(capture, restore)


@contextmanager
def ignoring(category: type[Warning]) -> Iterator[None]:
    """Shows none of a category. Unlike `catch_warnings` it makes no registry out of date."""
    entry = ("ignore", None, category, None, 0)
    warnings.filters.insert(0, entry)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        warnings.filters.remove(entry)  # type: ignore[attr-defined]


def _filters_version() -> object:
    """The number of changes of the filters; only a registry that was just used tells it."""
    registry: Any = {}
    with ignoring(_NoWarning):
        _warnings.warn_explicit("", _NoWarning, "", 1, registry=registry)
    return registry["version"]


def _shown(key: object) -> tuple[str, str, str, int] | None:
    match key:
        case (str() as text, type() as category, int() as line):
            return str(text), category.__module__, category.__qualname__, int(line)
    return None


def _made(shown: tuple[str, str, str, int]) -> tuple[str, type, int] | None:
    text, module, name, line = shown
    category = getattr(sys.modules.get(module), name, None)
    return (text, category, line) if isinstance(category, type) else None
