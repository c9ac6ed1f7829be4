"""The form of an audience file and its writing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api import types

GROUPS = ("target", "holdout")
_TYPES: dict[str, Callable[[Any], bool]] = {
    "int": types.is_integer_dtype,
    "float": types.is_float_dtype,
    "bool": types.is_bool_dtype,
    "str": lambda column: types.is_string_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype),
    "datetime": types.is_datetime64_any_dtype,
}


class AudienceError(ValueError):
    """A table that is not the audience it should be; the message names the column."""


def validate_schema(df: pd.DataFrame, columns: Mapping[str, str], key: str | None = None) -> None:
    """Checks that a table has exactly these columns, of these types, without missing values.

    Args:
        df: The table.
        columns: Type by column name: ``int``, ``float``, ``bool``, ``str`` or ``datetime``.
        key: A column whose values must be distinct.

    Raises:
        AudienceError: A column is missing, not declared, of another type or has missing values, the
            key repeats, or a type is unknown.
    """
    unknown = sorted({kind for kind in columns.values() if kind not in _TYPES})
    if unknown:
        raise AudienceError(f"unknown type {unknown[0]}; types are {', '.join(_TYPES)}")
    missing = [name for name in columns if name not in df.columns]
    if missing:
        raise AudienceError(f"column {missing[0]} is missing; columns here: {', '.join(map(str, df.columns))}")
    extra = [str(name) for name in df.columns if name not in columns]
    if extra:
        raise AudienceError(f"column {extra[0]} is not declared; declared: {', '.join(columns)}")
    for name, kind in columns.items():
        if not _TYPES[kind](df[name]):
            raise AudienceError(f"column {name} is {df[name].dtype}, not {kind}")
        if df[name].isna().any():
            raise AudienceError(f"column {name} has {int(df[name].isna().sum())} missing values")
    if key is not None:
        _check_key(df, key)


def write_audience(df: pd.DataFrame, path: str | os.PathLike[str], key: str = "user_id") -> Path:
    """Checks an audience and writes it as Parquet: rows in the given order, without the index.

    The file appears whole or not at all, and equal tables give equal bytes.

    Args:
        df: One row per user. A column ``group``, if there is one, holds ``target`` and ``holdout``
            only; float columns are finite.
        path: File to write, ending in ``.parquet``; an existing one is replaced.
        key: The column that names the user: distinct, without missing values.

    Returns:
        The path written.

    Raises:
        AudienceError: The table is empty or not as described, or the path cannot be written.
    """
    target = Path(path)
    if target.suffix != ".parquet":
        raise AudienceError(f"{target}: an audience is written to a .parquet file")
    if df.empty:
        raise AudienceError(f"{target}: the audience has no rows")
    repeated = df.columns[df.columns.duplicated()]
    if len(repeated):
        raise AudienceError(f"column {repeated[0]} stands twice in the audience")
    _check_key(df, key)
    if "group" in df.columns:
        others = [value for value in df["group"].unique() if value not in GROUPS]
        if others:
            raise AudienceError(f"column group holds {others[0]!r}; it takes target and holdout only")
    for name in df.columns:
        if types.is_float_dtype(df[name]) and not np.isfinite(df[name].to_numpy(dtype=float, na_value=np.nan)).all():
            raise AudienceError(f"column {name} has missing or infinite values")
    partial = target.with_name(f".{target.name}.partial")
    try:
        table = pa.Table.from_pandas(df, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(table, partial)
        os.replace(partial, target)
    except (OSError, pa.ArrowException) as error:
        raise AudienceError(f"{target}: cannot be written ({error})") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def _check_key(df: pd.DataFrame, key: str) -> None:
    if key not in df.columns:
        raise AudienceError(f"key column {key} is missing; columns here: {', '.join(map(str, df.columns))}")
    if df[key].isna().any():
        raise AudienceError(f"key column {key} has {int(df[key].isna().sum())} missing values")
    repeated = df.loc[df[key].duplicated(), key]
    if len(repeated):
        raise AudienceError(f"key column {key} repeats {repeated.iloc[0]} ({len(repeated)} repeated rows)")
