"""ctypes structures and arrays: their classes are made by C code, from their fields or their length."""

from __future__ import annotations

import sys
from typing import Any

from nl2code_guest.checkpoint.references import is_builtin, module_of
from nl2code_guest.checkpoint.refusals import Refused

_GIVEN = ("_fields_", "_pack_", "_anonymous_", "_align_", "__module__", "__qualname__")
_OWN = frozenset({*_GIVEN, "__dict__", "__weakref__", "__doc__"})


def has_metaclass_of_its_own(kind_of: type) -> bool:
    """Whether C code other than `type` makes classes of this kind."""
    mro: tuple[type, ...] = type.__dict__["__mro__"].__get__(type(kind_of))
    return next(base for base in mro if is_builtin(base)) is not type


def reduce_compiled_class(kind_of: Any) -> Any:
    """A structure, union or array of ctypes. What any other C code makes is refused."""
    ctypes: Any = sys.modules.get("ctypes")
    if ctypes is not None and issubclass(kind_of, ctypes.Array) and kind_of.__bases__ == (ctypes.Array,):
        return make_array_class, (kind_of._type_, kind_of._length_)
    if ctypes is None or not issubclass(kind_of, ctypes.Structure | ctypes.Union):
        name = f"{module_of(kind_of)}.{kind_of.__name__}"[:200]
        raise Refused("unpicklable", f"The class {name} can't be saved; define it in the cell that uses it.")
    own = vars(kind_of)
    body = {name: own[name] for name in _GIVEN if name in own}
    more = {name: value for name, value in own.items() if name not in _OWN and type(value).__name__ != "CField"}
    return make_structure, (kind_of.__name__, kind_of.__bases__, body), more, None, None, set_attributes


def make_structure(name: str, bases: tuple[Any, ...], body: dict[str, Any]) -> Any:
    """A structure or union with its fields; its metaclass has no name that it could be imported by."""
    return type(bases[0])(name, bases, body)


def make_array_class(element: Any, length: int) -> Any:
    """The class of arrays of this length."""
    return element * length


def set_attributes(kind_of: type, attributes: dict[str, Any]) -> None:
    """Methods and the like."""
    for name, value in attributes.items():
        setattr(kind_of, name, value)
