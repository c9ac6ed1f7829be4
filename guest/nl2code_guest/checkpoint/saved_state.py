"""A state as it is saved: what a manifest carries for the kernel, and what all manifests up to one add up to.

A state is JSON. A delta says what one save changed; `full` says that it stands by itself. Applying the deltas of a
chain in order gives the state of its head, in a restored kernel as in the one that saves. For a cell of which nothing
is kept the init commits a state without bytes, or just the `workspace` that came from outside before it.

| field | |
|---|---|
| `format`, `full` | 1; whether nothing older is needed |
| `components`, `dropped` | changed or new components (`component.py`); ids of those that are gone |
| `modules`, `refused` | names bound to modules; variables that could not be saved. Always complete |
| `settings`, `random` | complete, left out when unchanged |
| `workspace` | `{"full", "entries", "removed"}`, left out when unchanged |
| `versions` | what loading depends on |
| `cell`, `earlier` | what is known of the cell for re-running it; cells before it that have no manifest of their own |
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from nl2code_guest.checkpoint.component import Component, Components, to_component
from nl2code_guest.checkpoint.workspace_index import Index, to_entry

FORMAT = 1
#: A state is full after this many, once they hold this share of the bytes of the last full one: so neither the reading
#: of a chain nor the writing of full states grows beyond its share.
DELTAS, SHARE = 50, 4
#: Held here, since a cell may replace the functions of the module.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_decode = json.JSONDecoder().decode


class UnknownState(ValueError):
    """A state that no guest of this version has written; the message is one sentence."""


class RefusedVariable(NamedTuple):
    """A variable that could not be saved."""

    #: As the pickler classifies it.
    kind: str
    message: str
    type: str
    #: Global names that using it may touch.
    mentions: tuple[str, ...]
    #: Other variables it shares objects with.
    shares: tuple[str, ...]


class CellRecord(NamedTuple):
    """What has to be known of a cell to run it again for a variable that could not be saved."""

    k: int
    code: str
    #: Names bound anew, and names that it may have touched (`reachability.EVERYTHING` among them: all).
    assigned: tuple[str, ...]
    accessed: tuple[str, ...]
    ms: float
    tool_calls: int
    #: Whether files of the workspace changed.
    wrote: bool


class SavedState:
    """What is saved of a session, all deltas applied."""

    def __init__(self) -> None:
        self.components = Components()
        self.modules: dict[str, str] = {}
        self.refused: dict[str, RefusedVariable] = {}
        self.settings: dict[str, Any] = {}
        self.random: dict[str, Any] = {}
        self.workspace: Index = {}
        self.versions: dict[str, str] = {}
        #: Deltas since the last full state.
        self.deltas = 0
        #: Bytes of the last full state, and of the deltas since.
        self._full_bytes = self._delta_bytes = 0

    @property
    def wants_full(self) -> bool:
        """Whether the next state should stand by itself."""
        long = self.deltas >= DELTAS - 1 and self._delta_bytes * SHARE >= self._full_bytes
        return long or not self.versions

    def apply(self, delta: dict[str, Any], nbytes: int = 0) -> None:
        """Adds what one save changed; `nbytes` is what the state takes, for one that is gone on from.

        Raises:
            UnknownState: no save has written it; the state is of no use then.
        """
        try:
            self._apply(delta)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnknownState("A saved state is not of this version's form.") from error
        if self.deltas == 0:
            self._full_bytes, self._delta_bytes = nbytes, 0
        else:
            self._delta_bytes += nbytes

    def _apply(self, delta: dict[str, Any]) -> None:
        if not delta:
            self.deltas += 1
            return
        if delta["format"] != FORMAT:
            raise UnknownState("A saved state has a format of another version.")
        if (workspace := delta.get("workspace")) is not None:
            self._apply_workspace(workspace)
        if "components" not in delta:
            # The init has committed what came from outside, and nothing of the cell that followed.
            self.deltas += 1
            return
        if delta["full"]:
            self.components, self.deltas = Components(), 0
        else:
            self.deltas += 1
        for id in delta["dropped"]:
            self.components.remove(id)
        for raw in delta["components"]:
            self.components.add(raw if isinstance(raw, Component) else to_component(raw))
        self.modules = dict(delta["modules"])
        self.refused = {name: _to_refused(raw) for name, raw in delta["refused"].items()}
        self.settings = delta.get("settings", self.settings)
        self.random = delta.get("random", self.random)
        self.versions = delta["versions"]

    def _apply_workspace(self, changes: dict[str, Any]) -> None:
        if changes["full"]:
            self.workspace = {}
        for path in changes["removed"]:
            self.workspace.pop(path, None)
        self.workspace.update({path: to_entry(entry) for path, entry in changes["entries"].items()})

    def names(self) -> set[str]:
        """All variables, also those that could not be saved."""
        return {*self.components.by_name, *self.modules, *self.refused}


def encode_state(delta: dict[str, Any]) -> bytes:
    """The bytes of a state."""
    components = [component.to_json() for component in delta["components"]]
    refused = {name: variable._asdict() for name, variable in delta["refused"].items()}
    cells = {"cell": delta["cell"]._asdict(), "earlier": [cell._asdict() for cell in delta["earlier"]]}
    return _encode({**delta, "components": components, "refused": refused, **cells}).encode("ascii")


def encode_changes(workspace: dict[str, Any]) -> bytes:
    """The bytes of a state that tells of files only."""
    return _encode({"format": FORMAT, "full": False, "workspace": workspace}).encode("ascii")


def decode_state(data: bytes) -> dict[str, Any]:
    """A state as `apply` takes it; nothing at all, as the init writes it for a cell that is not saved, changes nothing.

    Raises:
        UnknownState: these are not the bytes of a state.
    """
    if not data:
        return {}
    try:
        decoded = _decode(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise UnknownState("A saved state is not JSON.") from error
    if not isinstance(decoded, dict):
        raise UnknownState("A saved state is not an object.")
    return decoded


def cells_of(delta: dict[str, Any]) -> list[CellRecord]:
    """The cells that a decoded state tells of, in order. Raises UnknownState."""
    try:
        return [_to_cell(raw) for raw in [*delta.get("earlier", ()), *([delta["cell"]] if "cell" in delta else ())]]
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownState("A saved state tells of cells in another form.") from error


def _to_refused(raw: Any) -> RefusedVariable:
    if isinstance(raw, RefusedVariable):
        return raw
    return RefusedVariable(
        str(raw["kind"]), str(raw["message"]), str(raw["type"]), tuple(raw["mentions"]), tuple(raw["shares"])
    )


def _to_cell(raw: Any) -> CellRecord:
    return CellRecord(
        int(raw["k"]),
        str(raw["code"]),
        tuple(raw["assigned"]),
        tuple(raw["accessed"]),
        float(raw["ms"]),
        int(raw["tool_calls"]),
        bool(raw["wrote"]),
    )
