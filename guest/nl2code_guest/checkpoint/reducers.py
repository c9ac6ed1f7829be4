"""Who handles which type: the table that the pickler asks once per type.

A library's part of the table is added when a cell has imported the library, never before.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable
from typing import Any

from nl2code_guest.checkpoint import classes, functions, singletons
from nl2code_guest.checkpoint.pickling import Handler, Pickling
from nl2code_guest.checkpoint.refusals import Refused, refused_kind

#: Handlers of exactly this type.
_EXACT: dict[type, Handler] = {
    types.FunctionType: functions.reduce_function,
    types.CellType: functions.reduce_cell,
    typing.TypeVar: singletons.reduce_type_variable,
    typing.ParamSpec: singletons.reduce_type_variable,
    typing.TypeVarTuple: singletons.reduce_type_variable,
    typing.NewType: singletons.reduce_new_type,
    type(dataclasses.MISSING): singletons.reduce_module_attribute("MISSING"),
    type(dataclasses.KW_ONLY): singletons.reduce_module_attribute("KW_ONLY"),
    type(dataclasses._HAS_DEFAULT_FACTORY): singletons.reduce_module_attribute("_HAS_DEFAULT_FACTORY"),  # type: ignore[attr-defined]
}
#: Handlers of a type and all that derive from it, unless one that derives has its own.
_FAMILIES: dict[type, Handler] = {
    type: classes.reduce_class,
    enum.Enum: classes.reduce_member,
}


def handler_of(kind_of: type) -> Handler | None:
    """What reduces objects of this type; None when pickle's own way is right."""
    exact = _EXACT.get(kind_of)
    if exact is not None:
        return exact
    kind = refused_kind(kind_of)
    if kind is not None:
        return _refuser(kind)
    for base in type.__dict__["__mro__"].__get__(kind_of):
        if base in _FAMILIES:
            return _FAMILIES[base]
    return None


def _refuser(kind: str) -> Callable[[Pickling, Any], Any]:
    def refuse(_pickling: Pickling, _value: Any) -> Any:
        raise Refused(kind)

    return refuse
