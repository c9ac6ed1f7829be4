"""Classes by value: made again without running a metaclass or `__init_subclass__` a second time.

A registry that counts subclasses, a metaclass that wants arguments, a decorator's work: all of it is already in the
class's own attributes, which are saved as they are.
"""

from __future__ import annotations

import abc
import contextlib
import enum
import sys
import types
from typing import TYPE_CHECKING, Any, cast

from nl2code_guest.checkpoint.ctypes_classes import has_metaclass_of_its_own, reduce_compiled_class
from nl2code_guest.checkpoint.references import is_builtin

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling

_OWN = frozenset(
    {"__dict__", "__weakref__", "__module__", "__slots__", "__slotnames__", "_abc_impl", "__abstractmethods__"}
)
_LATE = frozenset({"__annotate_func__", "__annotations_cache__"})
_BUILTIN_TYPES = {id(value): name for name, value in vars(types).items() if isinstance(value, type)}
_ENUM_OWN = frozenset({"__new__", "__reduce_ex__", "__members__"})
_ENUM_KEPT = frozenset({"_missing_", "_generate_next_value_", "_ignore_"})


def reduce_class(pickling: Pickling, kind_of: type) -> Any:
    """A reference where there is one, else the class itself."""
    if kind_of in (type(None), type(...), type(NotImplemented)):
        pickling.constants.add(id(kind_of))
        return NotImplemented
    if id(kind_of) in _BUILTIN_TYPES and kind_of.__module__ == "builtins":
        pickling.constants.add(id(kind_of))
        return getattr, (types, _BUILTIN_TYPES[id(kind_of)])
    known = pickling.reference(kind_of)
    return class_by_value(kind_of) if known is None else known


def class_by_value(kind_of: type) -> Any:
    """Metaclass, name, bases and slots; attributes are state, so that a class may hold itself and its instances."""
    if issubclass(kind_of, enum.Enum):
        return _enum_by_value(kind_of)
    if has_metaclass_of_its_own(kind_of):
        return reduce_compiled_class(kind_of)
    own = type.__dict__["__dict__"].__get__(kind_of)
    start = {name: own[name] for name in ("__module__", "__slots__") if name in own}
    start["__qualname__"] = type.__dict__["__qualname__"].__get__(kind_of)
    registered: list[type] | None = None
    if isinstance(kind_of, abc.ABCMeta):
        registered = [found for found in (ref() for ref in abc._get_dump(kind_of)[0]) if found is not None]  # type: ignore[attr-defined]
    arguments = (type(kind_of), kind_of.__name__, type.__dict__["__bases__"].__get__(kind_of), start)
    return make_class, arguments, (_attributes(kind_of), registered), None, None, set_class


def make_class(metaclass: type, name: str, bases: tuple[type, ...], start: dict[str, Any]) -> type:
    """The bare class. `__init_subclass__` of a base does nothing meanwhile: it did its work when the cell ran."""
    muted = next((base for base in _mro_of(bases) if "__init_subclass__" in vars(base)), object)
    if is_builtin(muted):
        return cast(type, type.__new__(metaclass, name, bases, start))
    hook = vars(muted)["__init_subclass__"]
    type.__setattr__(muted, "__init_subclass__", classmethod(lambda cls, **_options: None))
    try:
        return cast(type, type.__new__(metaclass, name, bases, start))
    finally:
        type.__setattr__(muted, "__init_subclass__", hook)


def set_class(kind_of: type, state: tuple[dict[str, Any], list[type] | None]) -> None:
    """The attributes of a class, past its metaclass."""
    attributes, registered = state
    for name, value in attributes.items():
        type.__setattr__(kind_of, name, value)
    if "__firstlineno__" in attributes:
        # Setting any other attribute removes it.
        type.__setattr__(kind_of, "__firstlineno__", attributes["__firstlineno__"])
    if registered is not None:
        abc._abc_init(kind_of)  # type: ignore[attr-defined]
        for virtual in registered:
            abc._abc_register(kind_of, virtual)  # type: ignore[attr-defined]


def reduce_member(_pickling: Pickling, member: enum.Enum) -> Any:
    """A named member is its class's; a combination of flags is found by its value."""
    kind_of = type(member)
    name = getattr(member, "_name_", None)
    if isinstance(name, str) and kind_of._member_map_.get(name) is member:
        return enum_member, (kind_of, name)
    return kind_of, (member._value_,)


def enum_member(kind_of: type[enum.Enum], name: str) -> enum.Enum:
    """A member by its name."""
    return kind_of._member_map_[name]


def make_enum(
    metaclass: type[enum.EnumMeta],
    name: str,
    bases: tuple[type, ...],
    start: dict[str, Any],
    members: dict[str, Any],
    boundary: enum.FlagBoundary | None,
) -> type[enum.Enum]:
    """An Enum with its members; aliases come back as aliases because they have the same value."""
    body = metaclass.__prepare__(name, bases)
    body.update(start)
    for member, value in members.items():
        body[member] = value
    options: dict[str, Any] = {} if boundary is None else {"boundary": boundary}
    return cast("type[enum.Enum]", enum.EnumMeta.__new__(metaclass, name, bases, cast(Any, body), **options))


def set_enum(kind_of: type[enum.Enum], state: tuple[dict[str, Any], dict[str, dict[str, Any]]]) -> None:
    """What a cell's Enum has beyond its members, and what its `__init__` or `__new__` gave to each of them."""
    attributes, members = state
    for name, value in attributes.items():
        type.__setattr__(kind_of, name, value)
    for name, more in members.items():
        kind_of._member_map_[name].__dict__.update(more)


def _enum_by_value(kind_of: type[enum.Enum]) -> Any:
    members = {name: member._value_ for name, member in kind_of._member_map_.items()}
    own = {name: value for name, value in _attributes(kind_of).items() if name not in members and name not in _ENUM_OWN}
    if "__new_member__" in own:
        own["__new__"] = vars(kind_of)["__new__"]
    kept = {name: value for name, value in own.items() if not _is_sunder(name) or name in _ENUM_KEPT}
    start = {"__module__": kind_of.__module__, "__qualname__": kind_of.__qualname__}
    arguments = (
        type(kind_of),
        kind_of.__name__,
        kind_of.__bases__,
        start,
        members,
        getattr(kind_of, "_boundary_", None),
    )
    more = {name: _beyond(member) for name, member in kind_of._member_map_.items()}
    return make_enum, arguments, (kept, more), None, None, set_enum


def _beyond(member: enum.Enum) -> dict[str, Any]:
    known = {"_value_", "_name_", "__objclass__", "_sort_order_", "_inverted_"}
    return {name: value for name, value in vars(member).items() if name not in known}


def _attributes(kind_of: type) -> dict[str, Any]:
    """A class's own attributes without those that making the class makes."""
    kept: dict[str, Any] = {}
    for name, value in type.__dict__["__dict__"].__get__(kind_of).items():
        if name in _OWN or name in _LATE:
            continue
        if type(value) in (types.MemberDescriptorType, types.GetSetDescriptorType) and value.__objclass__ is kind_of:
            continue
        kept[name] = value
    if sys.version_info >= (3, 14):
        # What gives them is a function over the body of the class.
        with contextlib.suppress(Exception):
            kept["__annotations__"] = kind_of.__annotations__
    return kept


def _is_sunder(name: str) -> bool:
    return len(name) > 2 and name[0] == name[-1] == "_" and name[1] != "_"


def _mro_of(bases: tuple[type, ...]) -> tuple[type, ...]:
    """The order in which `super()` looks through these bases."""
    rows = [list(type.__dict__["__mro__"].__get__(base)) for base in bases] + [list(bases)]
    merged: list[type] = []
    while rows := [row for row in rows if row]:
        head = next((row[0] for row in rows if not any(row[0] in other[1:] for other in rows)), rows[0][0])
        merged.append(head)
        rows = [row[1:] if row[0] is head else row for row in rows]
    return tuple(merged)
