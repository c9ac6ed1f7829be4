"""Locks inside objects: a new one, not held, takes the place of one that is not held."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from nl2code_guest.checkpoint.refusals import Refused

if TYPE_CHECKING:
    from nl2code_guest.checkpoint.pickling import Pickling


def reduce_lock(_pickling: Pickling, lock: Any) -> Any:
    """A Lock or RLock that nobody holds."""
    if repr(lock).startswith("<locked"):
        raise Refused("held-lock")
    return (threading.Lock if type(lock).__name__ == "lock" else threading.RLock), ()
