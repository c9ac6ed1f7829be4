"""Functions by value: their code, bound to the globals they had.

A function of a cell gets the live namespace back, so it sees what its globals are then; one that a library made inside
another function gets its module's. Only what is in closures and defaults travels with it.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint import caches
from nl2code_guest.checkpoint.live_objects import is_importable, made_up_module
from nl2code_guest.checkpoint.references import import_named

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling

_ATTRIBUTES = ("__defaults__", "__kwdefaults__", "__doc__", "__qualname__", "__module__", "__type_params__")


def reduce_function(pickling: Pickling, function: types.FunctionType) -> Any:
    """A reference where there is one, else the function itself."""
    known = pickling.reference(function)
    if known is not None:
        return known
    if function.__code__ is caches.DISPATCHER_CODE:
        return caches.reduce_dispatcher(function)
    return function_by_value(pickling, function)


def function_by_value(pickling: Pickling, function: types.FunctionType) -> Any:
    """Code, globals, name and cells; the rest is state, set once the function exists, so that it may contain itself."""
    code, closure = function.__code__, function.__closure__ or ()
    state = {name: getattr(function, name) for name in _ATTRIBUTES if hasattr(function, name)}
    if sys.version_info >= (3, 14):
        state["__annotate__"] = function.__annotate__
    else:
        state["__annotations__"] = function.__annotations__
    if function.__globals__ is pickling.namespace:
        pickling.mention(code)
    module = _module_of(function)
    made: tuple[Any, ...]
    made_up = None if module is not None else made_up_module(function.__globals__)
    if module is not None:
        pickling.require(module)
        made = make_library_function, (code, module, function.__name__, closure)
    elif made_up is not None:
        made = make_function_of, (code, made_up, function.__name__, closure)
    else:
        made = types.FunctionType, (code, function.__globals__, function.__name__, None, closure)
    return *made, (state, function.__dict__), None, None, set_function


def make_library_function(code: types.CodeType, module: str, name: str, closure: tuple[Any, ...]) -> types.FunctionType:
    """A function that lives in a library's module without being an attribute of it."""
    return types.FunctionType(code, import_named(module).__dict__, name, None, closure)


def make_function_of(code: types.CodeType, module: types.ModuleType, name: str, closure: Any) -> types.FunctionType:
    """A function of a module that cells made."""
    return types.FunctionType(code, module.__dict__, name, None, closure)


def set_function(function: types.FunctionType, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Everything about a function but what it was made with."""
    attributes, more = state
    for name, value in attributes.items():
        setattr(function, name, value)
    function.__dict__.update(more)


def reduce_cell(_pickling: Pickling, cell: types.CellType) -> Any:
    """A cell is an object of its own: functions that share one still do afterwards."""
    try:
        return types.CellType, (), (cell.cell_contents,), None, None, set_cell
    except ValueError:
        return types.CellType, ()


def set_cell(cell: types.CellType, content: tuple[Any]) -> None:
    """Fills a cell once it exists."""
    (cell.cell_contents,) = content


def submodules(code: types.CodeType, roots: list[str]) -> set[str]:
    """Imported modules below `roots` that the code reaches by attributes: `scipy.stats`, below `scipy`."""
    names = set(code.co_names)
    found, todo = set(roots), list(roots)
    while todo:
        package = todo.pop()
        below = {f"{package}.{name}" for name in names} & sys.modules.keys()
        todo.extend(below - found)
        found |= below
    return found


def _module_of(function: types.FunctionType) -> str | None:
    """The library module whose globals a function has."""
    name = function.__globals__.get("__name__")
    if type(name) is not str or name == "__main__":
        return None
    module = sys.modules.get(name)
    if not isinstance(module, types.ModuleType) or module.__dict__ is not function.__globals__:
        return None
    return name if is_importable(module) else None
