"""How DataFrames and Series are shown: some rows, the shape, never more than a screen."""

from __future__ import annotations

import sys
from typing import Any

_ROWS, _COLUMNS, _WIDTH, _CELL_CHARS = 20, 20, 160, 60
#: Bounds of what a person can ask for by `pd.set_option`.
_MAX_ROWS, _MAX_COLUMNS = 500, 200
#: What pandas has when nobody changed it.
_PANDAS_ROWS, _PANDAS_COLUMNS, _PANDAS_WIDTH, _PANDAS_CELL_CHARS = 60, (0, 20), 80, 50


def is_table(value: object) -> bool:
    """Whether `value` is a DataFrame or Series. Imports nothing."""
    pandas = sys.modules.get("pandas")
    frame, series = getattr(pandas, "DataFrame", None), getattr(pandas, "Series", None)
    return isinstance(frame, type) and isinstance(series, type) and isinstance(value, frame | series)


def table_texts(table: Any) -> dict[str, str]:
    """Plain text and HTML of a table, with its shape."""
    import pandas as pd

    rows = _chosen("display.max_rows", (_PANDAS_ROWS,), _ROWS, _MAX_ROWS)
    columns = _chosen("display.max_columns", _PANDAS_COLUMNS, _COLUMNS, _MAX_COLUMNS)
    options: list[Any] = [
        *("display.max_rows", rows, "display.min_rows", rows, "display.max_columns", columns),
        *("display.width", _chosen("display.width", (_PANDAS_WIDTH,), _WIDTH, 1000)),
        *("display.max_colwidth", _chosen("display.max_colwidth", (_PANDAS_CELL_CHARS,), _CELL_CHARS, 2000)),
        *("display.show_dimensions", True),
    ]
    with pd.option_context(*options):
        texts = {"text/plain": repr(table)}
        if isinstance(table, pd.DataFrame):
            html = table._repr_html_()
            if html:
                texts["text/html"] = html
    return texts


def _chosen(option: str, defaults: tuple[int, ...], ours: int, most: int) -> int:
    """The user's own setting within bounds, ours where pandas' default stands."""
    import pandas as pd

    value = pd.get_option(option)
    if value in defaults:
        return ours
    return most if value is None else min(int(value), most)
