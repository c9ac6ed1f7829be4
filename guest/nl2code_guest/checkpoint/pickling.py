"""One pickle of some variables: what it writes, and what it learns on the way.

A few objects are neither written nor imported but *given* at both ends: the namespace itself, Python's builtins, the
function that fetches a name of the session. They take the first places in the memo, so that they are recognised by
identity even where they are exact dicts, which no reducer ever sees.
"""

from __future__ import annotations

import builtins
import functools
import io
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

import cloudpickle

from nl2code_guest.checkpoint.functions import submodules
from nl2code_guest.checkpoint.reachability import names_in
from nl2code_guest.checkpoint.references import MAIN, descend, importable, path_in

#: Buffers at least this large stay out of the stream; smaller ones cost more apart than within.
OUT_OF_BAND_BYTES = 32 << 10

#: The recursion that a pickle may use: a level of nesting takes three or four of these. The C stack carries it.
RECURSION = 6_000

_EVERYWHERE = (MAIN, "builtins", "cloudpickle", __name__.partition(".")[0])

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
        # Not a method: the pickler would hold itself, and all it has seen, until the collector comes.
        super().__init__(self.file, protocol=5, buffer_callback=functools.partial(_stays_within, self.buffers))
        self.namespace = namespace
        self.shared = shared
        self.needs: set[str] = set()
        self.mentions: set[str] = set()
        self.modules: set[str] = set()
        #: Arrays made here to stand for those inside a pandas object: nothing shares their memory.
        self.detached: dict[int, Any] = {}
        #: Views by the id of the array that owns their memory.
        self.views: dict[int, list[Any]] = {}
        #: Ids of objects that never make two variables one: those named instead of written, among others.
        self.constants: set[int] = set()
        #: The type of what was begun last; where pickling fails, that is the culprit.
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
        self.last = kind_of
        return NotImplemented if handler is None else handler(self, value)

    def reference(self, value: Any) -> Any:
        """How to name a function, a class or the like instead of writing it; None when it has no name to go by."""
        module = importable(value)
        if module is not None:
            self.require(module)
            self.constants.add(id(value))
            return NotImplemented
        path = path_in(self.namespace, value)
        return None if path is None else self.named(path, value)

    def named(self, path: str, value: Any) -> Any:
        """How to fetch what a top-level name leads to; None when that name is being written or leads elsewhere."""
        root, *rest = path.split(".")
        if root in self._names or descend(self.namespace.get(root), rest) is not value:
            return None
        self.needs.add(root)
        self.constants.add(id(value))
        return _fetch, (path,)

    def mention(self, code: types.CodeType) -> None:
        """Notes the globals of a function that is written, and the modules it reaches through them."""
        names = names_in(code)
        self.mentions |= names
        found = (self.namespace.get(name) for name in names)
        self.modules |= submodules(code, [module.__name__ for module in found if isinstance(module, types.ModuleType)])

    def require(self, module: str) -> None:
        """Notes a module that loading imports; those that every kernel has are left out."""
        if module in sys.modules and not module.startswith(_EVERYWHERE):
            self.modules.add(module)

    def written(self) -> dict[int, tuple[int, Any]]:
        """Everything in the memo by id, each with its place; without what was given."""
        memo: dict[int, tuple[int, Any]] = self.memo.copy()
        for value in self._given:
            memo.pop(id(value), None)
        return memo


def _stays_within(buffers: list[pickle.PickleBuffer], buffer: pickle.PickleBuffer) -> bool:
    if memoryview(buffer).nbytes < OUT_OF_BAND_BYTES:
        return True
    buffers.append(buffer)
    return False


def _fetch(path: str) -> Any:
    """Stands for the function given to `load`."""
    raise LookupError(path)
