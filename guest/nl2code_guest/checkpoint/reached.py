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

from nl2code_guest.checkpoint.library_constants import constants
from nl2code_guest.checkpoint.references import module_of

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
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
    pathlib.PurePosixPath,
    pathlib.PosixPath,
    pickle.PickleBuffer,
    weakref.ref,
    functools.partial,
)
_VALUE_FAMILIES = (enum.Enum, types.BuiltinFunctionType, datetime.tzinfo)
_COMPILED_FUNCTIONS = ("cython_function_or_method", "fused_cython_function")
#: Modules whose objects never change.
_IMMUTABLE_MODULES = ("typing", "numpy.dtypes", "pandas._libs.tslibs", "pyarrow.", "polars.datatypes")


class _Verdicts(dict[type, bool]):
    """Whether objects of a type can link variables; computed once per type."""

    def __init__(self) -> None:
        super().__init__()
        self._families = (*_VALUE_FAMILIES, *_pandas_values())

    def __missing__(self, kind_of: type) -> bool:
        module = module_of(kind_of)
        linking = not (
            kind_of in _VALUES
            or issubclass(kind_of, self._families)
            or kind_of.__name__ in _COMPILED_FUNCTIONS
            or (module == "numpy" and not hasattr(kind_of, "setflags"))
            or module.startswith(_IMMUTABLE_MODULES)
        )
        self[kind_of] = linking
        return linking


def _pandas_values() -> tuple[type, ...]:
    pandas: Any = sys.modules.get("pandas")
    if not hasattr(pandas, "NA"):
        return ()
    return pandas.api.extensions.ExtensionDtype, type(pandas.NA), pandas._libs.sparse.SparseIndex


def links(pickling: Pickling) -> dict[int, Any]:
    """What was written and can make variables one, by id. The objects must be kept as long as the ids are compared."""
    memo = pickling.written()
    verdicts = _Verdicts()
    found = {at: value for at, (_, value) in memo.items() if verdicts[type(value)]}
    kinds = verdicts.keys() - {list, dict, set, bytearray}
    for kind_of in kinds:
        pickling.require(module_of(kind_of))
    skipped = pickling.constants | constants([kind_of for kind_of in kinds if verdicts[kind_of]], found)
    if any(map(_is_dtype, kinds)):
        for _, value in memo.values():
            if _is_dtype(type(value)) and value.fields is not None:
                skipped |= _parts_of(value)
    for at in skipped & found.keys():
        del found[at]
    for views in pickling.views.values():
        owner = views[0][0]
        found[id(owner)] = owner
    return found


def _is_dtype(kind_of: type) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and issubclass(kind_of, numpy.dtype)


def _parts_of(dtype: Any) -> set[int]:
    """What a structured dtype is made of: its fields are a dict that all arrays of the dtype share."""
    parts: set[int] = set()
    for part in dtype.__reduce__()[2]:
        parts.add(id(part))
        if isinstance(part, dict):
            parts.update(map(id, part.values()))
    return parts
