"""Steady ground for a save: what a cell has patched, traced, redirected or armed does not reach the saving code.

Cells share the process, and honest ones patch `json.dumps` or set a timer. While a save runs, the modules it rests on
are as they were at the kernel's start, no signal arrives, nothing is traced, no finalizer runs between two steps, and
what pickled objects print goes nowhere. Afterwards everything is as the cell left it.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import gc
import importlib
import io
import json
import json.decoder
import json.encoder
import operator
import os
import pickle
import signal
import struct
import sys
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Final

_GUARDED: Final = (builtins, os, os.path, sys, json, json.decoder, json.encoder, pickle, io, struct, time, base64)
#: Patched by intent: where reducers are registered, and what a redirection replaces.
_FREE: Final = frozenset(("stdin", "stdout", "stderr", "_", "displayhook", "excepthook", "argv", "path"))
#: Raised by the process itself, where it stands.
_SYNCHRONOUS: Final = frozenset((signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT))

#: Without the conversion of every number to its name and back, which takes longer than a small save.
_plain: Any = importlib.import_module("_signal")
_mask, _sigpending = _plain.pthread_sigmask, _plain.sigpending
_settrace, _gettrace = sys.settrace, sys.gettrace
_setitimer, _sigtimedwait = signal.setitimer, signal.sigtimedwait
_getsignal = signal.getsignal
_setprofile, _getprofile = sys.setprofile, sys.getprofile
#: Needed before the builtins are steady.
_vars, _all, _map, _zip, _is = vars, all, map, zip, operator.is_
_gc_enable, _gc_disable, _gc_isenabled = gc.enable, gc.disable, gc.isenabled
_BLOCKED: Final = frozenset(int(number) for number in signal.valid_signals() - _SYNCHRONOUS)


class SteadyGround:
    """Made before the first cell; knows how the modules were then."""

    def __init__(self) -> None:
        self._as_made: list[tuple[ModuleType, tuple[str, ...], tuple[object, ...]]] = []
        for module in _GUARDED:
            kept = {name: value for name, value in vars(module).items() if name not in _FREE}
            self._as_made.append((module, tuple(kept), tuple(kept.values())))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Holds it; also in a thread that is not the main one, where only signals are not held off."""
        before = _mask(signal.SIG_BLOCK, _BLOCKED)
        # A timer of the user's is for a cell that has ended, and no restore would bring it back.
        _setitimer(signal.ITIMER_REAL, 0)
        trace, profile, collecting = _gettrace(), _getprofile(), _gc_isenabled()
        _settrace(None)
        _setprofile(None)
        _gc_disable()
        patched = self._unpatch()
        streams = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = _NOWHERE
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams
            for module, changes in patched:
                for name, value in changes.items():
                    if value is _MISSING:
                        _vars(module).pop(name, None)
                    else:
                        _vars(module)[name] = value
            _setprofile(profile)
            _settrace(trace)
            _drop_pending()
            _mask(signal.SIG_SETMASK, before)
            if collecting:
                _gc_enable()

    def _unpatch(self) -> list[tuple[ModuleType, dict[str, Any]]]:
        """Puts back what was replaced, builtins first; returns what stood there."""
        found: list[tuple[ModuleType, dict[str, Any]]] = []
        for module, names, values in self._as_made:
            now = _vars(module)
            if _all(_map(_is, _map(now.get, names), values)):
                continue
            changes = {}
            for name, value in _zip(names, values):
                if now.get(name, _MISSING) is not value:
                    changes[name] = now.get(name, _MISSING)
                    now[name] = value
            found.append((module, changes))
        return found


def _drop_pending() -> None:
    """What was held off for a handler of the user's is for a cell that has ended; it would raise in the kernel."""
    for number in _sigpending():
        if callable(_getsignal(number)):
            _sigtimedwait([number], 0)


class _Nowhere(io.TextIOBase):
    """A stream that takes everything and keeps nothing."""

    def write(self, text: str, /) -> int:
        return len(text)

    def writable(self) -> bool:
        return True


_NOWHERE: Final = _Nowhere()
_MISSING: Final = object()
