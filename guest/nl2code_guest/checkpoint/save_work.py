"""One save: everything it needs, and how a state comes of it. Made in the kernel; done there or in its child."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from nl2code_guest.checkpoint.quota import Quota
from nl2code_guest.checkpoint.saved_state import FORMAT, CellRecord, SavedState, encode_state
from nl2code_guest.checkpoint.segments import SegmentWriter
from nl2code_guest.checkpoint.serialise import serialise
from nl2code_guest.checkpoint.touched import touched_together
from nl2code_guest.checkpoint.versions import versions_of
from nl2code_guest.checkpoint.workspace_index import Index

#: What a new kernel imports ahead of the first cell, told from the libraries that a state needs.
_DATA = frozenset(("numpy", "pandas", "pyarrow", "polars", "dateutil"))
_ALL = frozenset(("scipy", "sklearn", "joblib", "matplotlib", "PIL", "mpl_toolkits", "seaborn", "statsmodels"))


class WorkspaceChanges:
    """What has changed in the workspace since the last save."""

    def __init__(self) -> None:
        self.entries: Index = {}
        self.removed: set[str] = set()

    def add(self, entries: Index, removed: Collection[str]) -> None:
        """Adds later changes."""
        for path in removed:
            self.entries.pop(path, None)
        self.removed.update(removed)
        self.removed.difference_update(entries)
        self.entries.update(entries)

    def to_json(self) -> dict[str, Any]:
        """As they stand in a state."""
        return {"full": False, "entries": dict(self.entries), "removed": sorted(self.removed)}

    def __bool__(self) -> bool:
        return bool(self.entries or self.removed)


class Produced(NamedTuple):
    """A state on its way to the init."""

    delta: dict[str, Any]
    header: dict[str, Any]
    data: bytes


class SaveWork(NamedTuple):
    """What is to be saved."""

    segments: str
    durable: bool
    quota: Quota
    namespace: dict[str, Any]
    saved: SavedState
    #: Variables to look at, and whether these are all.
    names: list[str]
    everything: bool
    #: Ids of the components that are replaced or gone unless they prove unchanged.
    parts: set[str]
    cells: list[CellRecord]
    changes: WorkspaceChanges
    #: All of the workspace, for a full state.
    files: Index
    settings: dict[str, Any]
    random: dict[str, Any]
    #: Ids of components whose bytes stand elsewhere than the manifests say.
    moved: frozenset[str]

    def produce(self, limited: bool) -> Produced:
        """Writes the segments and makes the state. Raises OSError; nothing is left of it then."""
        saved, k = self.saved, self.cells[-1].k
        with SegmentWriter(self.segments, k, self.durable, self.quota) as writer:
            result = serialise(self.names, self.namespace, saved, str(k), writer, limited, self.everything)
            if writer.bytes_put:
                writer.commit()
        cells = touched_together(self.cells, self.namespace, saved, result)
        dropped = self.parts - result.unchanged
        modules = {**self._kept(saved.modules), **result.modules}
        full = saved.wants_full
        held = saved.components.by_id
        told = held.values() if full else [held[id] for id in self.moved if id in held]
        components = [part for part in told if part.id not in dropped] + result.components
        needed = {*modules.values(), *(saved.components.modules()), *_modules_of(result.components)}
        delta: dict[str, Any] = {
            "format": FORMAT,
            "full": full,
            "components": components,
            "dropped": [] if full else sorted(dropped),
            "modules": modules,
            "refused": {**self._kept(saved.refused), **result.refused},
            "versions": versions_of(needed),
            "cell": cells[-1],
            "earlier": cells[:-1],
        }
        if full:
            delta["workspace"] = {"full": True, "entries": dict(self.files), "removed": []}
        elif self.changes:
            delta["workspace"] = self.changes.to_json()
        if full or self.settings != saved.settings:
            delta["settings"] = self.settings
        if full or self.random != saved.random:
            delta["random"] = self.random
        header = {
            "type": "saved",
            "k": k,
            "want": _want(needed),
            "covers": [self.cells[0].k, k],
            "full": full,
        }
        return Produced(delta, header, encode_state(delta))

    def _kept(self, held: dict[str, Any]) -> dict[str, Any]:
        """What is known of names that are still there and were not looked at."""
        looked_at = set(self.names)
        return {name: known for name, known in held.items() if name in self.namespace and name not in looked_at}


def _modules_of(components: list[Any]) -> set[str]:
    return {module for component in components for module in component.modules}


def _want(modules: set[str]) -> str:
    tops = {name.partition(".")[0] for name in modules}
    return "all" if tops & _ALL else "data" if tops & _DATA else "bare"
