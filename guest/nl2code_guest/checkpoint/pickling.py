"""One pickle of some variables: what it writes, and what it learns on the way.

A few objects are neither written nor imported but *given* at both ends: the namespace itself, Python's builtins, the
function that fetches a name of the session. They take the first places in the memo, so that they are recognised by
identity even where they are exact dicts, which no reducer ever sees.
"""

from __future__ import annotations

import builtins
import io
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

import cloudpickle

from nl2code_guest.checkpoint.functions import global_names, submodules
from nl2code_guest.checkpoint.references import importable, path_in

#: Buffers at least this large stay out of the stream; smaller ones cost more apart than within.
OUT_OF_BAND_BYTES = 32 << 10

#: The recursion that a pickle may use: a level of nesting takes three or four of these. The C stack carries it.
RECURSION = 6_000

_EVERYWHERE = ("builtins", "cloudpickle", __name__.partition(".")[0])

Handler = Callable[["Pickling", Any], Any]


def given(namespace: dict[str, Any], fetch: Callable[[str], Any]) -> tuple[Any, ...]:
    """The objects that both ends have, in their order in the memo."""
    return builtins.__dict__, namespace, fetch, sys.modules, sys.path


def preamble(count: int) -> bytes:
    """Opcodes that put the given objects into the unpickler's memo: push the number, ask for it, memoize, pop."""
    return b"\x80\x05" + b"".join(b"K" + bytes([at]) + b"Q\x940" for at in range(count))


class Pickling(cloudpickle.Pickler):  # type: ignore[misc]
    """A pickler that knows which names it is writing and notes what else the result depends on."""

    def __init__(
        self,
        names: Iterable[str],
        namespace: dict[str, Any],
        handler_of: Callable[[type], Handler | None],
        shared: frozenset[int],
    ) -> None:
        """`shared`: ids of arrays whose views are written as views, whatever that costs."""
        self.file = io.BytesIO()
        #: Buffers beside the stream, in the order in which it asks for them.
        self.buffers: list[pickle.PickleBuffer] = []
        super().__init__(self.file, protocol=5, buffer_callback=self._take_buffer)
        self.namespace = namespace
        self.shared = shared
        self.needs: set[str] = set()
        self.mentions: set[str] = set()
        self.modules: set[str] = set()
        #: Functions and classes that are in the stream themselves.
        self.by_value: set[int] = set()
        #: Arrays made here to stand for those inside a pandas object: nothing shares their memory.
        self.detached: dict[int, Any] = {}
        #: Views by the id of the array that owns their memory.
        self.views: dict[int, list[Any]] = {}
        self.last: type | None = None
        self._names = frozenset(names)
        self._handler_of = handler_of
        self._handlers: dict[type, Handler | None] = {}
        self._given = given(namespace, _fetch)
        self.file.write(preamble(len(self._given)))
        self.memo = {id(value): (at, value) for at, value in enumerate(self._given)}

    def write(self, values: dict[str, Any]) -> None:
        """Writes the variables. Raises whatever their own code raises."""
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, RECURSION))
        try:
            # Not cloudpickle's, which makes another error out of a RecursionError.
            super(cloudpickle.Pickler, self).dump(values)
        finally:
            sys.setrecursionlimit(limit)

    def reducer_override(self, value: Any) -> Any:
        """Called by the C pickler for everything but plain data."""
        kind_of = type(value)
        try:
            handler = self._handlers[kind_of]
        except KeyError:
            handler = self._handlers[kind_of] = self._handler_of(kind_of)
        if handler is None:
            self.last = kind_of
            return NotImplemented
        return handler(self, value)

    def reference(self, value: Any) -> Any:
        """How to name a function, a class or the like instead of writing it; None when it has no name to go by."""
        module = importable(value)
        if module is not None:
            self.require(module)
            return NotImplemented
        path = path_in(self.namespace, value)
        if path is None:
            return None
        root = path.partition(".")[0]
        if root in self._names:
            return None
        self.needs.add(root)
        return _fetch, (path,)

    def mention(self, code: types.CodeType) -> None:
        """Notes the globals of a function that is written, and the modules it reaches through them."""
        names = global_names(code)
        self.mentions |= names
        found = (self.namespace.get(name) for name in names)
        self.modules |= submodules(code, [module.__name__ for module in found if isinstance(module, types.ModuleType)])

    def require(self, module: str) -> None:
        """Notes a module that loading imports; those that every kernel has are left out."""
        if not module.startswith(_EVERYWHERE):
            self.modules.add(module)

    def linkable(self) -> dict[int, Any]:
        """Everything written, by id, without what was given."""
        memo = {at: value for at, (_, value) in self.memo.copy().items()}
        for value in self._given:
            memo.pop(id(value), None)
        return memo

    def _take_buffer(self, buffer: pickle.PickleBuffer) -> bool:
        if memoryview(buffer).nbytes < OUT_OF_BAND_BYTES:
            return True
        self.buffers.append(buffer)
        return False


def _fetch(path: str) -> Any:
    """Stands for the function given to `load`."""
    raise LookupError(path)
