"""Objects of which there is one: they are compared with `is`, so a copy of one is another thing."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Handler, Pickling


def reduce_module_attribute(name: str) -> Handler:
    """For the one object of its type: an attribute of the module that its type is from."""
    return lambda _pickling, _value: name


def reduce_type_variable(pickling: Pickling, variable: Any) -> Any:
    """A TypeVar, ParamSpec or TypeVarTuple."""
    known = pickling.reference(variable)
    if known is not None:
        return known
    kind_of = type(variable)
    if kind_of is not typing.TypeVar:
        return kind_of, (variable.__name__,), {"module": variable.__module__}, None, None, set_module
    options = {
        "bound": variable.__bound__,
        "covariant": variable.__covariant__,
        "contravariant": variable.__contravariant__,
    }
    arguments = (variable.__name__, variable.__constraints__, options)
    return make_type_variable, arguments, {"module": variable.__module__}, None, None, set_module


def make_type_variable(name: str, constraints: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A TypeVar with everything it was made with."""
    make: Any = typing.TypeVar
    return make(name, *constraints, **options)


def reduce_new_type(pickling: Pickling, new_type: Any) -> Any:
    """A `typing.NewType`."""
    known = pickling.reference(new_type)
    if known is not None:
        return known
    state = {"module": new_type.__module__}
    return typing.NewType, (new_type.__qualname__, new_type.__supertype__), state, None, None, set_module


def set_module(value: Any, state: dict[str, str]) -> None:
    """The module that something says it is from."""
    value.__module__ = state["module"]
