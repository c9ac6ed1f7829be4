"""Context variables: with their default and the value that they have when they are saved."""

from __future__ import annotations

import contextvars
import sys
import types
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.references import MAIN, import_attribute

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling


def reduce_context_variable(_pickling: Pickling, variable: contextvars.ContextVar[Any]) -> Any:
    """A ContextVar with its default and its value of this moment; a library's own by where it is found."""
    for module_name, module in list(sys.modules.items()):
        if module_name != MAIN and isinstance(module, types.ModuleType):
            for name, value in list(module.__dict__.items()):
                if value is variable:
                    return import_attribute, (module_name, name)
    default = _default_of(variable)
    current = (variable.get(),) if variable in contextvars.copy_context() else ()
    return make_context_variable, (variable.name, *default), (current,), None, None, set_context_variable


def make_context_variable(name: str, *default: Any) -> contextvars.ContextVar[Any]:
    """A ContextVar with or without a default."""
    return contextvars.ContextVar(name, default=default[0]) if default else contextvars.ContextVar(name)


def set_context_variable(variable: contextvars.ContextVar[Any], state: tuple[tuple[Any, ...]]) -> None:
    """The value it had, in the context of this thread."""
    for value in state[0]:
        variable.set(value)


def _default_of(variable: contextvars.ContextVar[Any]) -> tuple[Any, ...]:
    try:
        return (contextvars.Context().run(variable.get),)
    except LookupError:
        return ()
