"""Real objects behind names: what a module or class holds, and which arguments a callable takes.

Imports installed packages and a pack's libraries, never a script; call it in a sandbox only.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

#: Modules that do something when they are imported.
NOT_TO_IMPORT: Final = frozenset(
    {"__main__", "antigravity", "idlelib", "lib2to3", "nl2code_checks", "nl2code_guest", "test", "this", "turtledemo"}
)
MISSING: Final = object()


class Unknown(Exception):
    """Nothing certain can be said."""


@cache
def module(name: str) -> Any:
    """Imports a module.

    Args:
        name: Its full name.

    Returns:
        The module, or ``MISSING`` when there is none of this name.

    Raises:
        Unknown: It is there, but it is not imported here or can't be.
    """
    if name.partition(".")[0] in NOT_TO_IMPORT or name.rpartition(".")[2] == "__main__":
        raise Unknown(name)
    parent = name.rpartition(".")[0]
    if parent and not hasattr(held := module(parent), "__path__") and (held is MISSING or name not in sys.modules):
        return MISSING
    with _quiet():
        try:
            if name not in sys.modules and importlib.util.find_spec(name) is None:
                return MISSING
            return importlib.import_module(name)
        except BaseException as error:
            raise Unknown(name) from error


def member(holder: Any, name: str) -> Any:
    """Gets what a module or another object holds under a name, submodules included; ``MISSING`` when nothing.

    Raises:
        Unknown: Asking for it fails.
    """
    with _quiet():
        try:
            return getattr(holder, name)
        except AttributeError:
            pass
        except BaseException as error:
            raise Unknown(name) from error
    if inspect.ismodule(holder) and hasattr(holder, "__path__"):
        return module(f"{holder.__name__}.{name}")
    return MISSING


def signature(target: Any) -> inspect.Signature:
    """The arguments that a callable takes.

    Raises:
        Unknown: It does not tell, e.g. a function in C.
    """
    with _quiet():
        try:
            return inspect.signature(target)
        except BaseException as error:
            raise Unknown(repr(target)[:80]) from error


def method_signature(owner: type, name: str) -> inspect.Signature:
    """The arguments that a method takes from its caller, without ``self``.

    Raises:
        Unknown: It does not tell, or it is no method.
    """
    static = inspect.getattr_static(owner, name)
    found = signature(member(owner, name))
    if isinstance(static, staticmethod | classmethod | type):
        return found
    if not (inspect.isroutine(static) or hasattr(static, "__get__")):
        raise Unknown(name)
    given = list(found.parameters.values())
    if not given or given[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise Unknown(name)
    return found.replace(parameters=given[1:])


def accepted_aside(target: Any) -> set[str]:
    """Texts that the wrappers of a function know; old names of arguments that they translate are among them."""
    texts: set[str] = set()
    seen: set[int] = set()
    while target is not None and id(target) not in seen:
        seen.add(id(target))
        for cell in getattr(target, "__closure__", None) or ():
            with contextlib.suppress(ValueError):
                texts |= _texts(cell.cell_contents)
        target = getattr(target, "__wrapped__", None)
    return texts


def innermost(target: Any) -> Any:
    """The function that stands inside all wrappers."""
    with contextlib.suppress(ValueError):
        return inspect.unwrap(target, stop=lambda wrapped: False)
    return target


def real_class(fullname: str) -> type:
    """The class of this full name.

    Raises:
        Unknown: There is none, e.g. because only a stub knows it.
    """
    parts = fullname.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            holder = module(".".join(parts[:cut]))
        except Unknown:
            continue
        if holder is MISSING:
            continue
        for part in parts[cut:]:
            holder = inspect.getattr_static(holder, part, MISSING)
        if isinstance(holder, type):
            return holder
        break
    raise Unknown(fullname)


def family(owner: type) -> Iterator[type]:
    """A class and all its known subclasses."""
    seen: set[type[Any]] = {owner}
    open_classes: list[type[Any]] = [owner]
    while open_classes:
        known = open_classes.pop()
        yield known
        with contextlib.suppress(TypeError):
            for sub in type.__subclasses__(known):
                if sub not in seen:
                    seen.add(sub)
                    open_classes.append(sub)


def near(name: str, holder: Any) -> list[str]:
    """Up to three public names of ``holder`` that look like ``name``."""
    with _quiet():
        names = [known for known in dir(holder) if not known.startswith("_")]
    return near_names(name, names)


def near_names(name: str, names: list[str]) -> list[str]:
    """Up to three of ``names`` that look like ``name``."""
    lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), list(lower), n=3, cutoff=0.7)
    return [lower[known] for known in close]


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return {key for key in value if isinstance(key, str)}
    if isinstance(value, list | tuple | set | frozenset):
        return {item for item in value if isinstance(item, str)}
    return set()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    path, folder = list(sys.path), os.getcwd()
    # Files in the current folder are inputs: data, not modules.
    sys.path[:] = [entry for entry in sys.path if entry and os.path.abspath(entry) != folder]
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                yield
    finally:
        sys.path[:] = path
