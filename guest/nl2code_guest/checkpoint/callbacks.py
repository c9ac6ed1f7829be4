"""Code of the session that others call without naming it: whatever it changes, no cell's own names tell."""

from __future__ import annotations

import logging
import weakref
from typing import Any, Final

from nl2code_guest.checkpoint.references import MAIN, module_of

_handlers: Final[list[Any]] = logging._handlerList  # type: ignore[attr-defined]
_finalizers: Final[dict[Any, Any]] = weakref.finalize._registry  # type: ignore[attr-defined]


def has_callbacks() -> bool:
    """Whether a handler of logging, or what is called at the end of an object, is the session's own."""
    if any(module_of(type(handler())) == MAIN for handler in list(_handlers)):
        return True
    # A method of a list, say, has no module.
    return any(getattr(info.func, "__module__", None) in (MAIN, None) for info in list(_finalizers.values()))
