"""A plugin of mypy: takes back what stubs promise and libraries do not keep, adds what sources say without types.

NumPy's functions give back a pandas object when they get one, while its stubs say array. scikit-learn's ``fit`` returns
the estimator, behind a decorator without types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mypy.nodes import ARG_STAR, ARG_STAR2
from mypy.plugin import AttributeContext, FunctionContext, MethodContext, Plugin
from mypy.types import (
    AnyType,
    CallableType,
    Instance,
    LiteralType,
    NoneType,
    TupleType,
    Type,
    TypeOfAny,
    UnionType,
    get_proper_type,
)

#: Functions of NumPy that give an array whatever they get.
ALWAYS_ARRAY: Final = frozenset(
    {"array", "asarray", "ascontiguousarray", "zeros", "ones", "empty", "full", "arange", "linspace", "logspace"}
    | {"geomspace", "eye", "identity", "where", "concatenate", "stack", "vstack", "hstack", "column_stack", "unique"}
    | {"argwhere", "flatnonzero", "meshgrid", "default_rng", "bincount", "digitize", "searchsorted", "histogram"}
)
#: What can't turn an array into something else.
PLAIN: Final = frozenset({"builtins.int", "builtins.float", "builtins.bool", "builtins.str", "builtins.complex"})
RETURNS_SELF: Final = frozenset({"fit", "partial_fit", "set_params", "set_output"})
RETURNS_ARRAY: Final = frozenset({"predict_proba", "predict_log_proba"})
MADE_BY: Final = {
    "sklearn.pipeline.make_pipeline": "sklearn.pipeline.Pipeline",
    "sklearn.pipeline.make_union": "sklearn.pipeline.FeatureUnion",
    "sklearn.compose._column_transformer.make_column_transformer": (
        "sklearn.compose._column_transformer.ColumnTransformer"
    ),
}


class Certainty(Plugin):
    """Keeps what is certain, and lets the rest be anything."""

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Makes results of NumPy's functions unknown where an argument may be no array."""
        if fullname in MADE_BY:
            made = MADE_BY[fullname]
            return lambda context: _named(context, made)
        if fullname.startswith("numpy.") and fullname.rpartition(".")[2] not in ALWAYS_ARRAY:
            return _plain_in_plain_out
        return None

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Does the same for universal functions and operators."""
        owner, _, name = fullname.rpartition(".")
        if owner.startswith("numpy._typing._ufunc.") or (owner == "numpy.ndarray" and name.startswith("__")):
            return _plain_in_plain_out
        return None

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Gives scikit-learn's decorated methods their results."""
        if fullname.startswith("sklearn.") and fullname.rpartition(".")[2] in RETURNS_SELF:
            return _returns_self
        return None


def _named(context: FunctionContext, fullname: str) -> Type:
    try:
        return context.api.named_generic_type(fullname, [])
    except (KeyError, AssertionError):
        return AnyType(TypeOfAny.special_form)


def _returns_self(context: AttributeContext) -> Type:
    known = get_proper_type(context.default_attr_type)
    if isinstance(known, CallableType):
        return known.copy_modified(ret_type=context.type)
    if not isinstance(known, AnyType):
        return known
    anything = AnyType(TypeOfAny.special_form)
    function = context.api.named_generic_type("builtins.function", [])
    return CallableType(
        [anything, anything], [ARG_STAR, ARG_STAR2], [None, None], context.type, function, implicit=True
    )


def _plain_in_plain_out(context: FunctionContext | MethodContext) -> Type:
    if all(_plain(given) for group in context.arg_types for given in group):
        return context.default_return_type
    return AnyType(TypeOfAny.special_form)


def _plain(given: Type) -> bool:
    known = get_proper_type(given)
    if isinstance(known, NoneType | LiteralType | CallableType):
        return True
    if isinstance(known, UnionType):
        return all(_plain(item) for item in known.items)
    if isinstance(known, TupleType):
        return _all_plain(known.items)
    if isinstance(known, Instance):
        name = known.type.fullname
        if name in ("builtins.list", "builtins.tuple"):
            return _all_plain(known.args)
        return name in PLAIN or name.startswith("numpy.")
    return False


def _all_plain(items: Sequence[Type]) -> bool:
    return all(_plain(item) for item in items)
