"""The place holder of a variable that could not be brought back: whatever is done with it says what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

_SPECIAL = """
abs add aenter aexit aiter and anext array array_function array_ufunc await bool bytes call ceil complex contains
dataframe delattr delete delitem dir divmod enter eq exit float floor floordiv format fspath ge get getattr getitem gt
hash iadd iand ifloordiv ilshift imatmul imod imul index int invert ior ipow irshift isub iter itruediv ixor le len
length_hint lshift lt matmul mod mul ne neg next or pos pow radd rand rdivmod repr reversed rfloordiv rlshift rmatmul
rmod rmul ror round rpow rrshift rshift rsub rtruediv rxor set setattr setitem str sub truediv trunc xor
""".split()  # noqa: SIM905
_MAX_CHARS = 1_000


class VariableLost(RuntimeError):
    """A variable was used that could not be saved or restored; the message says how to make it again."""


class Lost:
    """Stands for a lost variable in the namespace, and inside whatever held it. It is saved like any other value."""

    __slots__ = ("_lost",)

    def __init__(self, name: str, kind: str, cell: int, why: str, remedy: str) -> None:
        """`cell` is the last one whose state was restored; `kind` the type of the lost value."""
        object.__setattr__(self, "_lost", (name, kind, cell, why, remedy))

    def __reduce__(self) -> tuple[type[Lost], tuple[str, str, int, str, str]]:
        return Lost, object.__getattribute__(self, "_lost")

    def __reduce_ex__(self, _protocol: object) -> tuple[type[Lost], tuple[str, str, int, str, str]]:
        return self.__reduce__()


def describe(lost: Lost) -> tuple[str, str, int, str]:
    """Name, type, cell and the whole sentence of a lost variable, which itself answers nothing."""
    name, kind, cell, why, remedy = object.__getattribute__(lost, "_lost")
    message = (
        f"The variable {name!r} ({kind}) was lost when the kernel was restored after cell {cell}: {_cut(why)} "
        f"{_cut(remedy)}"
    )
    return name, kind, cell, message


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]} …"


def _refusing(special: str) -> Callable[..., NoReturn]:
    def refuse(self: Lost, *_args: object, **_options: object) -> NoReturn:
        raise VariableLost(describe(self)[3])

    refuse.__name__ = refuse.__qualname__ = special
    return refuse


def _fill() -> None:
    target: Any = Lost
    for word in _SPECIAL:
        setattr(target, f"__{word}__", _refusing(f"__{word}__"))


_fill()
