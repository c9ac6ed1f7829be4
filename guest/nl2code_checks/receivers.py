"""From a type that mypy tells to the real classes it may be."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Final

from nl2code_checks import callables
from nl2code_checks.callables import MISSING, Unknown

#: Stubs say these for what is another class at run time: a NumPy scalar, a date in a table of texts.
LOOSE: Final = frozenset(
    {f"builtins.{kind.__name__}" for kind in (object, type, int, float, complex, bool, str, bytes, tuple)}
    | {"builtins.function", "builtins.ellipsis", "types.ModuleType", "types.FunctionType"}
)
BUILTIN: Final = "builtins."
#: Where only the stubs have a class.
STANDS_FOR: Final = {
    "pandas.core.strings.accessor.SeriesStringMethods": "pandas.core.strings.accessor.StringMethods",
    "pandas.core.strings.accessor.IndexStringMethods": "pandas.core.strings.accessor.StringMethods",
    "pandas.core.indexes.accessors.TimestampProperties": "pandas.core.indexes.accessors.CombinedDatetimelikeProperties",
    "pandas.core.indexes.accessors.TimedeltaProperties": "pandas.core.indexes.accessors.CombinedDatetimelikeProperties",
    "pandas.core.indexes.accessors.DatetimeProperties": "pandas.core.indexes.accessors.CombinedDatetimelikeProperties",
    "pandas.core.indexes.accessors.PeriodProperties": "pandas.core.indexes.accessors.CombinedDatetimelikeProperties",
}
#: Subclasses that count are known only when their module is imported.
BRINGS: Final = {"matplotlib.": ("mpl_toolkits.mplot3d", "matplotlib.projections"), "numpy.": ("numpy.ma",)}
#: Libraries whose `__getattr__` gives columns and the like, never a function.
COLUMNS_ONLY: Final = ("pandas.core.", "builtins")


@dataclass(frozen=True)
class Receiver:
    """A class that a value is an instance of, and mypy's idea of it."""

    owner: type
    info: Any
    builtin: bool

    @property
    def shown(self) -> str:
        """The class's name."""
        return self.owner.__name__


def receivers(known: Any, every: bool = False) -> list[Receiver]:
    """The real classes of a type; None is left out, since it has no method at all.

    Args:
        known: A type of mypy, or None.
        every: Also those whose methods are not certain, such as int.

    Raises:
        Unknown: The type, or a part of it, may be anything.
    """
    from mypy.types import Instance, LiteralType, NoneType, TupleType, UnionType, get_proper_type

    if known is None:
        raise Unknown
    proper = get_proper_type(known)
    if isinstance(proper, UnionType):
        return [found for item in proper.items for found in receivers(item, every)]
    if isinstance(proper, NoneType):
        return []
    if isinstance(proper, LiteralType):
        proper = proper.fallback
    if isinstance(proper, TupleType):
        proper = proper.partial_fallback
    if not isinstance(proper, Instance):
        raise Unknown
    fullname = proper.type.fullname
    if (fullname in LOOSE and not every) or fullname.startswith("__main__."):
        raise Unknown(fullname)
    owner = callables.real_class(STANDS_FOR.get(fullname, fullname))
    for prefix, modules in BRINGS.items():
        if fullname.startswith(prefix):
            for name in modules:
                callables.module(name)
    return [Receiver(owner, proper.type, fullname.startswith(BUILTIN))]


def certain(receiver: Receiver, name: str) -> None:
    """Returns when no value of this class can have an attribute of this name.

    Raises:
        Unknown: It may: the sources know it, a subclass has it, or it is made up when it is asked for.
    """
    if receiver.info.has_readable_member(name) or getattr(receiver.info, "fallback_to_any", False):
        raise Unknown(name)
    for kind in [receiver.owner] if receiver.builtin else callables.family(receiver.owner):
        if inspect.getattr_static(kind, name, MISSING) is not MISSING:
            raise Unknown(name)
        for base in kind.__mro__:
            made_up = "__getattr__" in vars(base) or (base is not object and "__getattribute__" in vars(base))
            if made_up and not base.__module__.startswith(COLUMNS_ONLY) and kind is receiver.owner:
                raise Unknown(name)
