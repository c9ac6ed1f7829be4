"""Objects of which a process has one: modules, and what other code looks up in them."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.references import MAIN, import_attribute, import_named

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Handler, Pickling

_NOTHING = object()

#: One object per process, which other code looks up by this name.
LIVE = (
    ("os", "environ"),
    ("random", "_inst"),
    ("numpy.random.mtrand", "_rand"),
    ("matplotlib", "rcParams"),
    ("pandas", "options"),
)


def live_handlers() -> dict[type, Handler]:
    """Handlers for the types of those live objects whose modules have been imported."""
    found = (vars(sys.modules[module]).get(name, _NOTHING) for module, name in LIVE if module in sys.modules)
    return {type(value): reduce_live for value in found if value is not _NOTHING}


def reduce_live(_pickling: Pickling, value: Any) -> Any:
    """The name of a live object; another one of its type as pickle does it."""
    for module, name in LIVE:
        if module in sys.modules and sys.modules[module].__dict__.get(name, _NOTHING) is value:
            return import_attribute, (module, name)
    return NotImplemented


def reduce_module(pickling: Pickling, module: types.ModuleType) -> Any:
    """A module that can be imported, by its name."""
    name = module.__name__
    if sys.modules.get(name) is not module:
        return NotImplemented
    if name != MAIN:
        pickling.require(name)
    return import_named, (name,)
