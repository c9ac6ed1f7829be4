"""Settings that cells change outside their variables: of the process and of libraries. Saved and restored as one JSON.

Only differences are saved: to the start of the process or to a library's defaults. A library is looked at when a cell
has imported it and imported at a restore only when a setting of it differs. What JSON can't hold is pickled by the
given `freeze`; a value that can't be pickled is left out, and the restore says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nl2code_guest.checkpoint.library_settings import LIBRARIES
from nl2code_guest.checkpoint.process_settings import process_settings
from nl2code_guest.checkpoint.setting import Setting
from nl2code_guest.checkpoint.warnings_given import warnings_given

Freeze = Callable[[object], str]
Thaw = Callable[[str], object]

#: Not among JSON's values for a frozen one, which stands in a list of its own.
_PLAIN = (str, int, float, bool, type(None))


class Settings:
    """The settings of one kernel. Made before its first cell: what is set then is nothing to save."""

    def __init__(self, workspace: str, namespace: dict[str, Any], freeze: Freeze, thaw: Thaw) -> None:
        """`namespace` is that of the cells."""
        self._freeze = freeze
        self._thaw = thaw
        self._kinds: dict[str, Setting] = {
            **process_settings(workspace),
            **LIBRARIES,
            "warnings given": warnings_given(namespace),
        }
        #: What was frozen last, so that an unchanged value costs a comparison.
        self._frozen: dict[tuple[str, str], tuple[object, str]] = {}

    def capture(self) -> dict[str, Any]:
        """What differs now; kinds without a difference are left out. Never raises."""
        found: dict[str, Any] = {}
        left_out: list[str] = []
        for kind, setting in self._kinds.items():
            try:
                values = setting.capture()
            except Exception:
                left_out.append(kind)
                continue
            encoded: dict[str, Any] = {}
            for name, value in values.items():
                try:
                    encoded[name] = self._encode(kind, name, value)
                except Exception:
                    left_out.append(f"{kind} {name}".rstrip())
            if encoded:
                found[kind] = encoded
        if left_out:
            found["left-out"] = left_out
        return found

    def restore(self, saved: dict[str, Any]) -> list[str]:
        """Makes the settings those of `saved`, whatever they are now; returns sentences on what could not be set."""
        notes = [f"The setting {name} could not be saved and has its default." for name in saved.get("left-out", ())]
        for kind, setting in self._kinds.items():
            values: dict[str, Any] = {}
            for name, value in saved.get(kind, {}).items():
                try:
                    values[name] = self._thaw(value[0]) if type(value) is list else value
                except Exception as error:
                    notes.append(f"The setting {kind} {name} could not be restored ({type(error).__name__}).")
            try:
                setting.restore(values)
            except Exception as error:
                notes.append(f"The settings of {kind} could not be restored ({type(error).__name__}: {error}).")
        return notes

    def _encode(self, kind: str, name: str, value: object) -> Any:
        if type(value) in _PLAIN:
            return value
        before = self._frozen.get((kind, name))
        if before is None or not _same(before[0], value):
            before = self._frozen[kind, name] = (value, self._freeze(value))
        return [before[1]]


def _same(before: object, now: object) -> bool:
    if before is now:
        return True
    return type(before) is type(now) is tuple and before == now
