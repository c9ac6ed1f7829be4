"""What a restored kernel says it found, as the init hands it on.

A kernel that unpickles runs code of the session, so its words are hostile: every field is rebuilt within bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

from nl2code_guest.texts import clean

MAX_NAMES = 1_000
MAX_NAME_CHARS = 200
MAX_SENTENCE_CHARS = 1_000
MAX_NOTES = 50
#: All texts of a report in UTF-8, each with what stands around it.
MAX_BYTES = 56_000
_AROUND_BYTES = 20

T = TypeVar("T")


class LostVariable(TypedDict):
    """A variable that could not be brought back."""

    name: str
    type: str
    #: The cell after which it is missing; None when that is not known.
    cell: int | None
    message: str


class RestoreReport(TypedDict):
    """What a kernel had again before the first cell that ran in it."""

    head: int
    variables: int
    recomputed: list[str]
    #: Those of `recomputed` that could not be shown to be what they were.
    unproved: list[str]
    lost: list[LostVariable]
    notes: list[str]
    ms: float


def empty_report(head: int) -> RestoreReport:
    """The report of a kernel that had nothing to bring back."""
    return {"head": head, "variables": 0, "recomputed": [], "unproved": [], "lost": [], "notes": [], "ms": 0}


def checked_report(raw: object, head: int, notes: list[str]) -> RestoreReport:
    """The report of a kernel that was to restore `head`, with the init's own sentences before its notes."""
    given: dict[str, Any] = raw if isinstance(raw, dict) else {}
    room = _Room()
    own = [room.sentence(note) for note in notes[-4:]]
    ms = given.get("ms")
    lost = room.items(given.get("lost"), MAX_NAMES, room.lost, "variables were lost")
    unproved = room.items(given.get("unproved"), MAX_NAMES, room.name, "variables may differ from what they were")
    said = room.items(given.get("notes"), MAX_NOTES - 8, room.sentence, "notes are left out")
    recomputed = room.items(given.get("recomputed"), MAX_NAMES, room.name, "variables were computed again")
    return {
        "head": head,
        "variables": given["variables"] if _is_count(given.get("variables")) else 0,
        "recomputed": recomputed,
        "unproved": unproved,
        "lost": lost,
        "notes": [*own, *said, *room.left_out],
        "ms": round(float(ms), 1) if isinstance(ms, int | float) and 0 <= ms < 1e9 else 0,
    }


class _Room:
    """What the texts of one report may still take; what does not fit is counted in a note."""

    def __init__(self) -> None:
        self._left = MAX_BYTES
        self.left_out: list[str] = []

    def items(self, raw: object, most: int, take: Callable[[Any], T], what: str) -> list[T]:
        """The first of a list, as long as there is room; a note says how many more there are."""
        given = raw if isinstance(raw, list) else []
        kept: list[T] = []
        for item in given[:most]:
            if self._left <= 0:
                break
            kept.append(take(item))
        if len(kept) < len(given):
            self.left_out.append(f"{len(given) - len(kept)} more {what}.")
        return kept

    def name(self, raw: object) -> str:
        """The name of a variable or a class."""
        return self._text(raw, MAX_NAME_CHARS)

    def sentence(self, raw: object) -> str:
        """A sentence for a person or a model."""
        return self._text(raw, MAX_SENTENCE_CHARS)

    def lost(self, raw: object) -> LostVariable:
        """One lost variable."""
        given: dict[str, Any] = raw if isinstance(raw, dict) else {}
        return {
            "name": self.name(given.get("name")),
            "type": self.name(given.get("type")),
            "cell": given["cell"] if _is_count(given.get("cell")) else None,
            "message": self.sentence(given.get("message")),
        }

    def _text(self, raw: object, most: int) -> str:
        text = clean(raw) if isinstance(raw, str) else ""
        text = text if len(text) <= most else text[: most - 1] + "…"
        self._left -= len(text.encode("utf-8", "replace")) + _AROUND_BYTES
        return text


def _is_count(raw: object) -> bool:
    return type(raw) is int and 0 <= raw < 1 << 53
