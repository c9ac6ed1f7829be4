"""Settings of libraries: matplotlib's rcParams and current figure, options of pandas, numpy and scikit-learn."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

from nl2code_guest.checkpoint.setting import Setting

_modules = sys.modules
#: Belongs to the place, not to the session.
_NOT_SAVED = frozenset(("backend", "backend_fallback"))
_missing: Final = object()


def _rc_capture() -> dict[str, Any]:
    matplotlib = _modules.get("matplotlib")
    if matplotlib is None:
        return {}
    start = matplotlib.rcParamsOrig
    # dict's own look-ups: matplotlib's would choose a backend.
    return {
        name: value
        for name, value in dict.items(matplotlib.rcParams)
        if name not in _NOT_SAVED and not _same(dict.get(start, name, _missing), value)
    }


def _rc_restore(values: dict[str, Any]) -> None:
    if values or "matplotlib" in _modules:
        matplotlib: Any = importlib.import_module("matplotlib")
        for name in set(_rc_capture()) - set(values):
            matplotlib.rcParams[name] = matplotlib.rcParamsOrig[name]
        matplotlib.rcParams.update(values)


def _pandas_capture() -> dict[str, Any]:
    config: Any = _modules.get("pandas._config.config")
    if config is None or "pandas" not in _modules:
        return {}
    found = {}
    # The public getters take 20 times as long, after every cell.
    for name, option in config._registered_options.items():
        *groups, leaf = name.split(".")
        values = config._global_config
        for group in groups:
            values = values[group]
        if not _same(option.defval, values[leaf]):
            found[name] = values[leaf]
    return found


def _pandas_restore(values: dict[str, Any]) -> None:
    if values or "pandas" in _modules:
        pandas: Any = importlib.import_module("pandas")
        for name in set(_pandas_capture()) - set(values):
            pandas.reset_option(f"^{name}$")
        for name, value in values.items():
            pandas.set_option(name, value)


def _numpy_now(numpy: Any) -> dict[str, Any]:
    errors = {f"error {name}": value for name, value in numpy.geterr().items()}
    printing = {f"print {name}": value for name, value in numpy.get_printoptions().items() if name != "override_repr"}
    return {**errors, **printing, "error call": numpy.geterrcall()}


_NUMPY_START: Final[dict[str, Any]] = {
    "error divide": "warn",
    "error over": "warn",
    "error under": "ignore",
    "error invalid": "warn",
    "error call": None,
    "print edgeitems": 3,
    "print threshold": 1000,
    "print floatmode": "maxprec",
    "print precision": 8,
    "print suppress": False,
    "print linewidth": 75,
    "print nanstr": "nan",
    "print infstr": "inf",
    "print sign": "-",
    "print formatter": None,
    "print legacy": False,
}


def _numpy_capture() -> dict[str, Any]:
    numpy = _modules.get("numpy")
    if numpy is None or not hasattr(numpy, "geterrcall"):
        return {}
    now = _numpy_now(numpy)
    return {name: value for name, value in now.items() if not _same(_NUMPY_START.get(name, _missing), value)}


def _numpy_restore(values: dict[str, Any]) -> None:
    if not values and "numpy" not in _modules:
        return
    numpy: Any = importlib.import_module("numpy")
    want = _NUMPY_START | values
    errors = {name.removeprefix("error "): value for name, value in want.items() if name.startswith("error ")}
    numpy.seterrcall(errors.pop("call"))
    numpy.seterr(**errors)
    numpy.set_printoptions(
        **{name.removeprefix("print "): value for name, value in want.items() if name.startswith("print ")}
    )


def _sklearn_capture() -> dict[str, Any]:
    config: Any = _modules.get("sklearn._config")
    if config is None or not hasattr(config, "get_config"):
        return {}
    start = config._global_config
    return {name: value for name, value in config.get_config().items() if not _same(start.get(name, _missing), value)}


def _sklearn_restore(values: dict[str, Any]) -> None:
    if values or "sklearn._config" in _modules:
        config: Any = importlib.import_module("sklearn._config")
        config.set_config(**(config._global_config | values))


def _figure_capture() -> dict[str, Any]:
    helpers: Any = _modules.get("matplotlib._pylab_helpers")
    active = helpers.Gcf.get_active() if helpers is not None else None
    return {} if active is None else {"number": active.num}


def _figure_restore(values: dict[str, Any]) -> None:
    """Makes a figure current that a restored variable holds."""
    if values:
        pyplot: Any = importlib.import_module("matplotlib.pyplot")
        if pyplot.fignum_exists(values["number"]):
            pyplot.figure(values["number"])


def _same(start: object, now: object) -> bool:
    if start is now:
        return True
    same = start == now
    return same is True and type(start) is type(now)


LIBRARIES: Final[dict[str, Setting]] = {
    "matplotlib": Setting(_rc_capture, _rc_restore),
    "pandas": Setting(_pandas_capture, _pandas_restore),
    "numpy": Setting(_numpy_capture, _numpy_restore),
    "scikit-learn": Setting(_sklearn_capture, _sklearn_restore),
    "current figure": Setting(_figure_capture, _figure_restore),
}
