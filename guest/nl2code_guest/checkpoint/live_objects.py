"""Objects of which a process has one: modules, and what other code looks up in them."""

from __future__ import annotations

import gc
import sys
import types
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.references import MAIN, import_attribute, import_named

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Handler, Pickling

_NOTHING = object()
#: A cell may put another dict in the place of `sys.modules`.
_modules = sys.modules
_OF_MODULE = frozenset({"__builtins__", "__loader__", "__spec__"})

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


def reduce_live(pickling: Pickling, value: Any) -> Any:
    """The name of a live object; another one of its type as pickle does it."""
    for module, name in LIVE:
        if module in sys.modules and sys.modules[module].__dict__.get(name, _NOTHING) is value:
            pickling.constants.add(id(value))
            return import_attribute, (module, name)
    return NotImplemented


def reduce_module(pickling: Pickling, module: types.ModuleType) -> Any:
    """A module that can be imported, by its name; one that cells made, with what is in it."""
    name = module.__name__
    if name != MAIN and not is_importable(module):
        state = {key: value for key, value in module.__dict__.items() if key not in _OF_MODULE}
        return types.ModuleType, (name,), state, None, None, set_module_dict
    if name != MAIN:
        pickling.require(name)
    return import_named, (name,)


def is_importable(module: types.ModuleType) -> bool:
    """Whether importing its name gives this module in another process too."""
    own = vars(module)
    name = own.get("__name__")
    return type(name) is str and _modules.get(name) is module and own.get("__spec__") is not None


def set_module_dict(module: types.ModuleType, state: dict[str, Any]) -> None:
    """Everything in a module that cells made."""
    module.__dict__.update(state)


def made_up_module(names: dict[str, Any]) -> types.ModuleType | None:
    """The module whose globals these are, where it is none that can be imported."""
    if "__spec__" not in names:
        return None
    found = (holder for holder in gc.get_referrers(names) if type(holder) is types.ModuleType)
    return next((module for module in found if module.__dict__ is names), None)
