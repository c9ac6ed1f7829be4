"""Exceptions: what they say, what they carry and what caused them; never where they were raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.references import is_builtin

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling

_OWN_WAY = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")


def reduce_exception(_pickling: Pickling, error: BaseException) -> Any:
    """Without running the `__init__` of a class of the cells again: it may want other arguments than `args`."""
    kind_of = type(error)
    chain = (error.__cause__, error.__context__, error.__suppress_context__)
    if any(name in vars(base) for base in kind_of.__mro__ if not is_builtin(base) for name in _OWN_WAY):
        return NotImplemented
    reduced: Any = error.__reduce__()
    state = reduced[2] if len(reduced) > 2 else None
    return make_exception, (kind_of, reduced[1]), (state, chain), None, None, set_exception


def make_exception(kind_of: type[BaseException], arguments: tuple[Any, ...]) -> BaseException:
    """An exception as its nearest built-in class makes it."""
    base: Any = next(base for base in kind_of.__mro__ if is_builtin(base))
    error: BaseException = base.__new__(kind_of, *arguments)
    base.__init__(error, *arguments)
    return error


def set_exception(error: BaseException, state: tuple[Any, tuple[Any, Any, bool]]) -> None:
    """Attributes, and the errors behind this one."""
    own, (cause, context, suppressed) = state
    if own is not None:
        error.__setstate__(own)
    error.__cause__, error.__context__ = cause, context
    error.__suppress_context__ = suppressed
