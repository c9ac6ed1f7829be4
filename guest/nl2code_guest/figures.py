"""Figures become PNG images: at `plt.show()`, at `display(figure)` and at the end of their cell."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import io
import sys
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from nl2code_guest.reply import MAX_IMAGE_BYTES

_PYPLOT = "matplotlib.pyplot"
_DPI = 100.0
_MAX_TRIES = 4
#: Pixels of the longer side.
_MAX_SIDE = 2400


def install(show: Callable[[Any], None]) -> None:
    """Makes `plt.show()` give the open figures to `show`, now or when pyplot is imported."""
    warnings.filterwarnings("ignore", message=".*FigureCanvasAgg is non-interactive.*")

    def patch(pyplot: Any) -> None:
        def show_all(*_args: object, **_kwargs: object) -> None:
            """Shows the open figures and closes them."""
            for figure in open_figures():
                show(figure)

        pyplot.show = show_all

    if _PYPLOT in sys.modules:
        patch(sys.modules[_PYPLOT])
    else:
        sys.meta_path.insert(0, _PyplotFinder(patch))


def is_figure(value: object) -> bool:
    """Whether `value` is a matplotlib figure. Imports nothing."""
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    return isinstance(figure, type) and isinstance(value, figure)


def open_figures() -> list[Any]:
    """The figures pyplot holds open, in order of their number."""
    pyplot: Any = sys.modules.get(_PYPLOT)
    if pyplot is None or not hasattr(pyplot, "get_fignums"):
        return []
    return [pyplot.figure(number) for number in pyplot.get_fignums()]


def close(figure: Any) -> None:
    """Closes a figure if pyplot holds it."""
    pyplot: Any = sys.modules.get(_PYPLOT)
    if pyplot is not None and hasattr(pyplot, "close"):
        pyplot.close(figure)


def figure_png(figure: Any) -> bytes | None:
    """The figure as PNG within the size limit, at a lower resolution where needed; None when it never fits."""
    # A figure of a hundred inches would take gigabytes to draw.
    dpi = min(_DPI, _MAX_SIDE / max(1.0, *figure.get_size_inches()))
    for _ in range(_MAX_TRIES):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
        if buffer.tell() <= MAX_IMAGE_BYTES:
            return buffer.getvalue()
        dpi *= min(0.8, 0.9 * (MAX_IMAGE_BYTES / buffer.tell()) ** 0.5)
    return None


class _PyplotFinder(importlib.abc.MetaPathFinder):
    """Finds pyplot as Python would and patches it once it is loaded."""

    def __init__(self, patch: Callable[[Any], None]) -> None:
        self._patch = patch

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _PYPLOT:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def load_and_patch(module: ModuleType) -> None:
                load(module)
                self._patch(module)

            spec.loader.exec_module = load_and_patch  # type: ignore[method-assign]
        return spec
