"""Who handles which type: the table that the pickler asks once per type.

A library's part of the table is added when a cell has imported the library, never before.
"""

from __future__ import annotations

import contextvars
import dataclasses
import enum
import functools
import io
import re
import sys
import threading
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

from nl2code_guest.checkpoint import (
    arrays,
    arrow_tables,
    caches,
    classes,
    closed_files,
    context_variables,
    exceptions,
    frames,
    functions,
    live_objects,
    locks,
    singletons,
    user_reduction,
    views,
    weak_references,
)
from nl2code_guest.checkpoint.pickling import Handler, Pickling
from nl2code_guest.checkpoint.references import module_of
from nl2code_guest.checkpoint.refusals import Refused, refused_kind

_FILES = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)

#: Handlers of exactly this type.
_EXACT: dict[type, Handler] = {
    types.FunctionType: functions.reduce_function,
    types.CellType: functions.reduce_cell,
    typing.TypeVar: singletons.reduce_type_variable,
    typing.ParamSpec: singletons.reduce_type_variable,
    typing.TypeVarTuple: singletons.reduce_type_variable,
    typing.NewType: singletons.reduce_new_type,
    types.ModuleType: live_objects.reduce_module,
    types.MappingProxyType: views.reduce_proxy,
    re.Match: views.reduce_match,
    contextvars.ContextVar: context_variables.reduce_context_variable,
    caches.LruCache: caches.reduce_lru_cache,
    functools.cached_property: caches.reduce_cached_property,
    weakref.ref: weak_references.reduce_reference,
    weakref.WeakMethod: weak_references.reduce_reference,
    weakref.WeakValueDictionary: weak_references.reduce_weak_dict,
    weakref.WeakKeyDictionary: weak_references.reduce_weak_dict,
    weakref.WeakSet: weak_references.reduce_weak_set,
    type(threading.Lock()): locks.reduce_lock,
    type(threading.RLock()): locks.reduce_lock,
    **dict.fromkeys(views.DICT_VIEWS, views.reduce_dict_view),
    **dict.fromkeys(_FILES, closed_files.reduce_file),
    type(dataclasses.MISSING): singletons.reduce_module_attribute("MISSING"),
    type(dataclasses.KW_ONLY): singletons.reduce_module_attribute("KW_ONLY"),
    type(dataclasses._HAS_DEFAULT_FACTORY): singletons.reduce_module_attribute("_HAS_DEFAULT_FACTORY"),  # type: ignore[attr-defined]
}
#: Handlers of a type and all that derive from it, unless one that derives has its own.
_FAMILIES: dict[type, Handler] = {
    type: classes.reduce_class,
    enum.Enum: classes.reduce_member,
    BaseException: exceptions.reduce_exception,
}
#: A library, one of its modules that is there once the library is usable, and what gives its handlers.
_LIBRARIES: dict[str, tuple[str, Callable[[], tuple[dict[type, Handler], dict[type, Handler]]]]] = {
    "numpy": ("numpy", arrays.handlers),
    "pyarrow": ("pyarrow.lib", arrow_tables.arrow_handlers),
    "pandas": ("pandas.core.internals.managers", frames.handlers),
    "polars": ("polars.series", arrow_tables.polars_handlers),
}


def add_libraries() -> None:
    """Takes up the libraries that have been imported since; asked before every pickle."""
    _EXACT.update(live_objects.live_handlers())
    for name, (module, handlers) in list(_LIBRARIES.items()):
        library = sys.modules.get(name)
        if library is None or module not in sys.modules or _is_being_imported(library):
            continue
        exact, families = handlers()
        _EXACT.update(exact)
        _FAMILIES.update(families)
        del _LIBRARIES[name]


def _is_being_imported(library: Any) -> bool:
    return bool(getattr(getattr(library, "__spec__", None), "_initializing", False))


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
    if module_of(kind_of) == "itertools" and sys.version_info >= (3, 12):
        return views.reduce_iterator
    return user_reduction.handler_for(kind_of)


def _refuser(kind: str) -> Callable[[Pickling, Any], Any]:
    def refuse(_pickling: Pickling, _value: Any) -> Any:
        raise Refused(kind)

    return refuse
