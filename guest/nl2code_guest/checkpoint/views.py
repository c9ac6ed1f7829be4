"""Objects that only look at another one: they look at the same one afterwards."""

from __future__ import annotations

import collections
import gc
import re
import sys
import types
import warnings
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.refusals import Refused

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling

DICT_VIEWS: dict[type, str] = {
    type(view(kind_of())): name
    for kind_of in (dict, collections.OrderedDict)
    for name, view in (("keys", kind_of.keys), ("values", kind_of.values), ("items", kind_of.items))
}


def reduce_dict_view(_pickling: Pickling, view: Any) -> Any:
    """`d.keys()` and the like: a view of the same dict."""
    (viewed,) = gc.get_referents(view)[:1]
    return make_dict_view, (viewed, DICT_VIEWS[type(view)])


def make_dict_view(viewed: Any, name: str) -> Any:
    """A view of a dict."""
    return getattr(viewed, name)()


def reduce_proxy(_pickling: Pickling, proxy: Any) -> Any:
    """A mappingproxy of the same mapping; `vars(A)` is that of the class again."""
    (viewed,) = gc.get_referents(proxy)[:1]
    descriptor = viewed.get("__dict__") if type(viewed) is dict else None
    if type(descriptor) is types.GetSetDescriptorType:
        return vars, (descriptor.__objclass__,)
    return types.MappingProxyType, (viewed,)


def reduce_match(_pickling: Pickling, match: re.Match[Any]) -> Any:
    """The result of a search, found again in the same text."""
    for how in ("search", "match", "fullmatch"):
        for start in (match.pos, match.start()):
            again = make_match(match.re, how, match.string, start, match.endpos)
            if again is not None and again.regs == match.regs:
                return make_match, (match.re, how, match.string, start, match.endpos)
    raise Refused("unpicklable", "This match can't be saved; keep its groups.")


def make_match(pattern: re.Pattern[Any], how: str, text: Any, start: int, end: int) -> Any:
    """Searches again."""
    return getattr(pattern, how)(text, start, end)


def reduce_iterator(_pickling: Pickling, iterator: Any) -> Any:
    """An iterator of itertools, without the warning that this ends with Python 3.14; there it is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if sys.version_info >= (3, 14):
            raise Refused("iterator")
        return iterator.__reduce__()
