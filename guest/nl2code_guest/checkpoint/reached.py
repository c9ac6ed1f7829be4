"""Which of the objects in a pickle can make two variables one.

Two variables that reach the same list belong together: saved apart, they would come back with a list each. Two that
reach the same string, the same imported function or a constant of a library's class do not.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import pickle
import re
import sys
import types
import uuid
import weakref
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.references import MAIN, importable

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling

_VALUES: tuple[type, ...] = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    tuple,
    frozenset,
    range,
    slice,
    types.EllipsisType,
    types.NotImplementedType,
    types.CodeType,
    types.BuiltinFunctionType,
    types.ModuleType,
    types.MethodType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.GenericAlias,
    types.UnionType,
    property,
    classmethod,
    staticmethod,
    re.Pattern,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    datetime.timezone,
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
    pathlib.PurePosixPath,
    pathlib.PosixPath,
    pickle.PickleBuffer,
    weakref.ref,
    functools.partial,
)
#: Modules whose objects never change.
_IMMUTABLE_MODULES = ("typing", "numpy.dtypes", "pandas._libs.tslibs", "pandas.core.dtypes", "pyarrow.", "polars.")
_CONTAINERS = (list, dict, set, bytearray)


class _Verdicts(dict[type, bool]):
    """Whether objects of a type can link variables; computed once per type."""

    def __missing__(self, kind_of: type) -> bool:
        name = type.__dict__["__module__"].__get__(kind_of)
        linking = not (
            kind_of in _VALUES
            or issubclass(kind_of, enum.Enum | types.BuiltinFunctionType)
            or (name == "numpy" and not hasattr(kind_of, "setflags"))
            or str(name).startswith(_IMMUTABLE_MODULES)
        )
        self[kind_of] = linking
        return linking


def links(pickling: Pickling) -> dict[int, Any]:
    """What was written and can make variables one, by id. The objects must be kept as long as the ids are compared."""
    memo = pickling.linkable()
    verdicts = _Verdicts()
    found = {at: value for at, value in memo.items() if verdicts[type(value)]}
    kinds = set(map(type, found.values()))
    code = {kind for kind in kinds if issubclass(kind, type | types.FunctionType)}
    if code:
        by_value = pickling.by_value
        found = {at: value for at, value in found.items() if type(value) not in code or at in by_value}
    for kind_of in kinds - set(_CONTAINERS):
        for at in _constants(kind_of):
            found.pop(at, None)
    for value in memo.values():
        if _is_structured(value):
            for at in _parts_of(value):
                found.pop(at, None)
    for views in pickling.views.values():
        owner = views[0][0]
        found[id(owner)] = owner
    return found


def _constants(kind_of: type) -> list[int]:
    """Ids of the containers that a library's class keeps in its attributes, such as `DataFrame._metadata`."""
    return [
        id(held)
        for base in type.__dict__["__mro__"].__get__(kind_of)
        for name in _container_names(base)
        if isinstance(held := base.__dict__.get(name), _CONTAINERS)
    ]


@functools.lru_cache(maxsize=4096)
def _container_names(base: type) -> tuple[str, ...]:
    if base.__module__ == MAIN or importable(base) is None:
        return ()
    return tuple(name for name, held in base.__dict__.items() if isinstance(held, _CONTAINERS))


def _is_structured(value: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.dtype) and value.fields is not None


def _parts_of(dtype: Any) -> set[int]:
    """What a structured dtype is made of: its fields are a dict that all arrays of the dtype share."""
    parts: set[int] = set()
    for part in dtype.__reduce__()[2]:
        parts.add(id(part))
        if isinstance(part, dict):
            parts.update(map(id, part.values()))
    return parts
