"""Settings of the process: environment, folder, module path, warnings, logging, decimal, locale, recursion limit.

Values are strings, numbers or tuples of what pickle knows. Every start value is that of the moment the table is made.
"""

from __future__ import annotations

import decimal
import locale
import logging
import os
import re
import sys
import time
import warnings
from typing import Any

from nl2code_guest.checkpoint.setting import Setting

_HANDLER_STREAMS = ("stderr", "stdout")


def process_settings(workspace: str) -> dict[str, Setting]:
    """The table, with what is set now as its start."""
    return {
        "environment": _environment(),
        "folder": _folder(workspace),
        "module path": _module_path(),
        "warning filters": _warning_filters(),
        "decimal context": _decimal_context(),
        "locale": _locale(),
        "logging": _logging(),
        "recursion limit": _recursion_limit(),
    }


def _environment() -> Setting:
    # Bytes, as the process has them; os.environ itself may be replaced by a cell, its mapping stays the truth.
    environ = os.environ
    data: dict[bytes, bytes] = environ._data  # type: ignore[attr-defined]
    start = dict(data)

    def capture() -> dict[str, Any]:
        if data == start:
            return {}
        changed = {os.fsdecode(name): os.fsdecode(value) for name, value in data.items() if start.get(name) != value}
        return {**changed, **{os.fsdecode(name): None for name in start if name not in data}}

    def restore(values: dict[str, Any]) -> None:
        want = {os.fsdecode(name): os.fsdecode(value) for name, value in start.items()} | values
        zone = environ.get("TZ")
        for name in [*environ, *want]:
            value = want.get(name)
            if value is None:
                environ.pop(name, None)
            elif environ.get(name) != value:
                environ[name] = value
        if environ.get("TZ") != zone:
            time.tzset()

    return Setting(capture, restore)


def _folder(workspace: str) -> Setting:
    """The current folder, relative to the workspace where it lies in it, since that may be elsewhere later."""
    real = os.path.realpath(workspace)

    def capture() -> dict[str, Any]:
        here = os.getcwd()
        if here == real:
            return {}
        inside = here.startswith(real + os.sep)
        return {"workspace": os.path.relpath(here, real)} if inside else {"path": here}

    def restore(values: dict[str, Any]) -> None:
        os.chdir(values.get("path") or os.path.join(real, values.get("workspace", "")))

    return Setting(capture, restore)


def _module_path() -> Setting:
    """`sys.path`; entries of the start go by their place, so that another machine's take theirs."""
    start = list(sys.path)

    def capture() -> dict[str, Any]:
        if sys.path == start:
            return {}
        return {"entries": tuple(start.index(entry) if entry in start else entry for entry in sys.path)}

    def restore(values: dict[str, Any]) -> None:
        entries = values.get("entries")
        if entries is None:
            sys.path[:] = start
        else:
            sys.path[:] = [start[entry] if isinstance(entry, int) else entry for entry in entries]

    return Setting(capture, restore)


def _warning_filters() -> Setting:
    """All filters: libraries add some at their import, and the order counts.

    A category is told by its name. Where its module is not there, nothing raises it, and the import adds the filter.
    """
    start = tuple(warnings.filters)

    def capture() -> dict[str, Any]:
        now = tuple(warnings.filters)
        return {} if now == start else {"all": tuple(_shown_filter(entry) for entry in now)}

    def restore(values: dict[str, Any]) -> None:
        shown = values.get("all")
        made = start if shown is None else tuple(_made_filter(entry) for entry in shown)
        want = [entry for entry in made if entry is not None]
        if list(warnings.filters) != want:
            warnings.resetwarnings()
            warnings.filters[:] = want  # type: ignore[index]
            # Only a call of the module makes its caches forget; this one changes nothing else.
            warnings.simplefilter("default", _NoWarning)
            del warnings.filters[0]  # type: ignore[attr-defined]

    return Setting(capture, restore)


class _NoWarning(Warning):
    """No warning has this class."""


def _shown_filter(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    action, message, category, module, line = entry
    return action, _shown_pattern(message), category.__module__, category.__qualname__, _shown_pattern(module), line


def _made_filter(shown: tuple[Any, ...]) -> tuple[Any, ...] | None:
    action, message, of, name, module, line = shown
    category = getattr(sys.modules.get(of), name, None)
    return None if category is None else (action, _made_pattern(message), category, _made_pattern(module), line)


def _shown_pattern(pattern: Any) -> Any:
    return (pattern.pattern, pattern.flags) if isinstance(pattern, re.Pattern) else pattern


def _made_pattern(shown: Any) -> Any:
    return re.compile(*shown) if isinstance(shown, tuple) else shown


def _decimal_context() -> Setting:
    start = decimal.getcontext().copy()

    def capture() -> dict[str, Any]:
        now = decimal.getcontext()
        shown = _context_fields(now)
        return {} if shown == _context_fields(start) else {"context": shown}

    def restore(values: dict[str, Any]) -> None:
        context = start.copy()
        if "context" in values:
            context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp = values[
                "context"
            ][:6]
            flags, traps = values["context"][6:]
            for signal in context.flags:
                context.flags[signal] = signal.__name__ in flags
                context.traps[signal] = signal.__name__ in traps
        decimal.setcontext(context)

    return Setting(capture, restore)


def _context_fields(context: decimal.Context) -> tuple[Any, ...]:
    flags = tuple(signal.__name__ for signal, on in context.flags.items() if on)
    traps = tuple(signal.__name__ for signal, on in context.traps.items() if on)
    plain = (context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp)
    return (*plain, flags, traps)


def _locale() -> Setting:
    start = locale.setlocale(locale.LC_ALL)

    def capture() -> dict[str, Any]:
        now = locale.setlocale(locale.LC_ALL)
        return {} if now == start else {"all": now}

    def restore(values: dict[str, Any]) -> None:
        want = values.get("all", start)
        if locale.setlocale(locale.LC_ALL) != want:
            locale.setlocale(locale.LC_ALL, want)

    return Setting(capture, restore)


def _logging() -> Setting:
    """Levels, and the root's handlers to the standard streams as `basicConfig` makes them."""
    levels_at_start = _levels()

    def capture() -> dict[str, Any]:
        found: dict[str, Any] = {}
        changed = tuple((name, level) for name, level in _levels().items() if levels_at_start.get(name, 0) != level)
        if changed:
            found["levels"] = changed
        if logging.root.manager.disable:
            found["disabled"] = int(logging.root.manager.disable)
        handlers = tuple(_shown_handler(handler) for handler in logging.root.handlers)
        if handlers:
            found["handlers"] = handlers
        return found

    def restore(values: dict[str, Any]) -> None:
        want = levels_at_start | dict(values.get("levels", ()))
        for name, level in (dict.fromkeys(_levels(), 0) | want).items():
            logging.getLogger(name or None).setLevel(level)
        logging.disable(values.get("disabled", 0))
        handlers = values.get("handlers", ())
        if handlers != tuple(_shown_handler(handler) for handler in logging.root.handlers):
            logging.root.handlers[:] = [_made_handler(*shown) for shown in handlers]

    return Setting(capture, restore)


def _levels() -> dict[str, int]:
    loggers = logging.root.manager.loggerDict.items()
    found = {name: logger.level for name, logger in loggers if isinstance(logger, logging.Logger) and logger.level}
    return {"": logging.root.level, **found}


def _shown_handler(handler: logging.Handler) -> tuple[str, int, str, str | None]:
    stream = getattr(handler, "stream", None)
    formatter = handler.formatter
    if type(handler) is not logging.StreamHandler or type(formatter) not in (logging.Formatter, type(None)):
        raise TypeError("another handler than a stream's")
    name = next((name for name in _HANDLER_STREAMS if stream in (getattr(sys, name), getattr(sys, f"__{name}__"))), "")
    if not name:
        raise TypeError("another stream than the standard ones")
    text = (formatter._fmt, formatter.datefmt) if formatter else (None, None)
    return name, handler.level, text[0] or "%(message)s", text[1]


def _made_handler(stream: str, level: int, text: str, dates: str | None) -> logging.Handler:
    handler = logging.StreamHandler(getattr(sys, stream))
    handler.setLevel(level)
    style = "%" if "%(" in text else "{" if "{" in text else "$"
    handler.setFormatter(logging.Formatter(text, dates, style))  # type: ignore[arg-type]
    return handler


def _recursion_limit() -> Setting:
    start = sys.getrecursionlimit()

    def capture() -> dict[str, Any]:
        now = sys.getrecursionlimit()
        return {} if now == start else {"limit": now}

    def restore(values: dict[str, Any]) -> None:
        sys.setrecursionlimit(values.get("limit", start))

    return Setting(capture, restore)
