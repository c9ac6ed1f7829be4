"""Which variables a save has to look at: those a cell may have touched, with all that hangs together with them.

Rebinding is seen by comparing what the names are bound to before and after the cell (`bindings.py`); changes in place
are told from code (`reachability.py`). But for that comparison the order of cost is that of what was touched, never
that of the session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from nl2code_guest.checkpoint.bindings import Bindings, Rebound, variables
from nl2code_guest.checkpoint.reachability import EVERYTHING, closure, names_in_cell
from nl2code_guest.checkpoint.saved_state import CellRecord, RefusedVariable, SavedState
from nl2code_guest.checkpoint.serialise import Serialised

#: Stands among the accessed names of a cell that ended while what came before it was not saved: its state will tell.
LATER: Final = "?"


class Touched(NamedTuple):
    """What a cell did to the names."""

    assigned: frozenset[str]
    deleted: frozenset[str]
    #: EVERYTHING among them when it may have touched any.
    accessed: frozenset[str]


def touched_by(code: str, name: str, rebound: Rebound, bindings: Bindings, threads: bool, saved: SavedState) -> Touched:
    """What the cell `code` did, which has just run under `name`.

    Args:
        rebound: What the look after it has seen.
        threads: Whether another thread may have changed variables meanwhile.
    """
    assigned, deleted = rebound
    if threads:
        return Touched(assigned, deleted, frozenset((EVERYTHING,)))
    used = closure({*names_in_cell(code, name), *assigned, *deleted}, _reach(saved))
    if EVERYTHING in used:
        return Touched(assigned, deleted, frozenset((EVERYTHING,)))
    return Touched(assigned, deleted, frozenset(name for name in used if name in bindings or name in deleted))


def touched_together(
    cells: list[CellRecord], namespace: dict[str, Any], saved: SavedState, result: Serialised
) -> list[CellRecord]:
    """The cells of one state with what they accessed, where only that state tells: what one defines, the next may use.

    Args:
        namespace: As it is after them.
        result: What they came to.
    """
    if not any(LATER in cell.accessed for cell in cells):
        return cells
    names = {name for cell in cells for name in (*names_in_cell(cell.code, f"<cell {cell.k}>"), *cell.assigned)}
    now = {name: component for component in result.components for name in component.names}
    before = _reach(saved)

    def reach(name: str) -> Iterable[str]:
        yield from before(name)
        if (component := now.get(name)) is not None:
            yield from (*component.names, *component.needs, *component.mentions)
        if (refused := result.refused.get(name)) is not None:
            yield from (*refused.mentions, *refused.shares)

    used = closure(names, reach)
    accessed: tuple[str, ...] = (EVERYTHING,)
    if EVERYTHING not in used:
        known = (
            saved.components.by_name.keys() | saved.refused.keys() | saved.modules.keys() | set(variables(namespace))
        )
        accessed = tuple(sorted((used & known) | opaque({**saved.refused, **result.refused})))
    return [cell._replace(accessed=accessed) if LATER in cell.accessed else cell for cell in cells]


def opaque(refused: Mapping[str, RefusedVariable]) -> set[str]:
    """Those of which nobody knows what they share with others, so whatever a cell does may have changed them."""
    return {name for name, variable in refused.items() if EVERYTHING in variable.mentions}


def to_look_at(
    accessed: Iterable[str],
    rebound: Iterable[str],
    namespace: dict[str, Any],
    bindings: Bindings,
    saved: SavedState,
) -> tuple[list[str], set[str]]:
    """The names to pickle, and the ids of the components that they, or names that are gone, are part of."""
    found, rebound = set(accessed), set(rebound)
    if EVERYTHING in found:
        return variables(namespace), set(saved.components.by_id)
    # A component that refers to a definition by name, when the name means another one now.
    parts = saved.components.needing(rebound)
    by_name = saved.components.by_name
    for name in found | rebound:
        # A number too: a new one may stand where the old one stood, and then nothing seems bound anew.
        component = by_name.get(name)
        if component is not None:
            parts.add(component.id)
    wanted = {name for id in parts for name in saved.components.by_id[id].names}
    for name in found | rebound:
        if name not in by_name and not _gave_up(name, rebound, saved):
            wanted.add(name)
    return bindings.in_order(wanted), parts


def _gave_up(name: str, rebound: set[str], saved: SavedState) -> bool:
    """Whether pickling this very value took too long before."""
    refused = saved.refused.get(name)
    return refused is not None and refused.kind == "too-slow" and name not in rebound


def _reach(saved: SavedState) -> Any:
    sharing: dict[str, list[str]] = {}
    for name, refused in saved.refused.items():
        for other in refused.shares:
            sharing.setdefault(other, []).append(name)
    by_name = saved.components.by_name

    def reach(name: str) -> Iterable[str]:
        component, refused = by_name.get(name), saved.refused.get(name)
        if component is not None:
            yield from component.names
            yield from component.needs
            yield from component.mentions
        if refused is not None:
            yield from refused.mentions
            yield from refused.shares
        yield from sharing.get(name, ())

    return reach
