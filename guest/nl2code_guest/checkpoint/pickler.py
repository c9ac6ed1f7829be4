"""Variables to bytes and back.

`dump` turns variables into a stream and buffers beside it. What several variables share is shared again when they were
dumped together; `Pickled.reached` tells which ones have to be. `load` gives them back, in another process, bound to the
namespace that lives there.
"""

from __future__ import annotations

import gc
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nl2code_guest.checkpoint.arrays import shared_owners
from nl2code_guest.checkpoint.pickling import Handler, Pickling, given
from nl2code_guest.checkpoint.reached import links
from nl2code_guest.checkpoint.reducers import add_libraries, handler_of
from nl2code_guest.checkpoint.references import MAIN, follow
from nl2code_guest.checkpoint.refusals import Refused, classify, is_lock, tell, type_name

__all__ = ["Pickled", "Refused", "Unloadable", "dump", "load"]


@dataclass(frozen=True)
class Pickled:
    """Some variables as bytes, and what else is to be known about them."""

    stream: memoryview
    #: Memory beside the stream, not copied: it must not change until it is written.
    buffers: list[pickle.PickleBuffer]
    #: Ids of objects that make two variables one; of use only while `keep` lives.
    reached: frozenset[int]
    keep: object
    #: Top-level names that the stream refers to.
    needs: set[str]
    #: Global names in the code of functions that are in the stream.
    mentions: set[str]
    #: Modules that loading needs.
    modules: set[str]


class Unloadable(Exception):
    """A stream that can't be turned into variables again; the message says why."""


def dump(
    names: dict[str, object], namespace: dict[str, Any], handlers: Callable[[type], Handler | None] = handler_of
) -> Pickled:
    """Pickles variables, all or none. Raises Refused when one of them holds what can't be saved.

    `handlers` says who reduces which type; others than those of the save make a stream that is only to be compared.

    User code may run (`__reduce__`, `__getstate__`); whatever it raises is a refusal.
    """
    add_libraries()
    pickling = Pickling(names, namespace, handlers, frozenset())
    try:
        with _no_collection():
            if any(map(is_lock, names.values())):
                raise Refused("lock")
            pickling.write(dict(names))
            shared = shared_owners(pickling) if pickling.views else None
            if shared:
                pickling = Pickling(names, namespace, handlers, frozenset(shared))
                pickling.write(dict(names))
            found = links(pickling)
    except BaseException as error:
        refused = classify(error, type_name(pickling.last) if pickling.last else None)
    else:
        return _pickled(pickling, found)
    try:
        raise refused.with_traceback(None)
    finally:
        # A frame that holds its own error keeps the variables alive until the collector comes.
        del refused, pickling


def _pickled(pickling: Pickling, found: dict[int, Any]) -> Pickled:
    return Pickled(
        memoryview(pickling.file.getvalue()),
        pickling.buffers,
        frozenset(found),
        [found, pickling.detached],
        pickling.needs,
        pickling.mentions,
        pickling.modules,
    )


def load(
    stream: bytes | bytearray | memoryview,
    buffers: list[Any],
    namespace: dict[str, Any],
    resolve: Callable[[str], object],
) -> dict[str, object]:
    """The variables of a stream, by name. `resolve` gives the value of a top-level name that the stream refers to.

    Nothing is put into the namespace. Raises Unloadable for everything that user code or a library raises.
    """

    def fetch(path: str) -> object:
        return follow(resolve(path.partition(".")[0]), path)

    unpickler = _Unpickler(stream, buffers, given(namespace, fetch), fetch)
    try:
        with _no_collection(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded: dict[str, object] = unpickler.load()
    except (Unloadable, Refused) as error:
        message = str(error)
    except BaseException as error:
        message = tell(error)
    else:
        return loaded
    raise Unloadable(message)


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        stream: bytes | bytearray | memoryview,
        buffers: list[Any],
        known: tuple[Any, ...],
        fetch: Callable[[str], object],
    ) -> None:
        super().__init__(io.BytesIO(stream), buffers=buffers)
        self._known = known
        self._fetch = fetch

    def persistent_load(self, number: int) -> Any:
        """The objects given at both ends."""
        return self._known[number]

    def find_class(self, module: str, name: str) -> Any:
        """What pickle names itself; a name of the cells' module is a name of the session."""
        return self._fetch(name) if module == MAIN else super().find_class(module, name)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of new objects make the collector look at all of them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
