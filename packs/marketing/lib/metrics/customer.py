"""RFM scores and predicted value, one row per customer in, one row per customer out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

BINS = 5


class MetricsError(ValueError):
    """A column that cannot be scored; the message names it."""


def rfm_score(
    df: pd.DataFrame,
    recency: str = "recency_days",
    frequency: str = "orders",
    monetary: str = "revenue_eur",
) -> pd.DataFrame:
    """Scores customers from 1 to 5 by recency, frequency and monetary value; 5 is best.

    A score is 1 + floor(5 * share of these customers with a strictly worse value), so equal values get
    equal scores. Pass only the customers that are to be compared.

    Args:
        df: One row per customer.
        recency: Column of days since the last order; fewer is better.
        frequency: Column of the number of orders; more is better.
        monetary: Column of the revenue; more is better.

    Returns:
        Whole numbers ``r, f, m`` with the index of ``df``.

    Raises:
        MetricsError: The table is empty, or a column is missing, not numeric or has missing values.
    """
    for column in (recency, frequency, monetary):
        _check_numeric(df, column)
    return pd.DataFrame(
        {
            "r": _score(-df[recency].astype(float)),
            "f": _score(df[frequency].astype(float)),
            "m": _score(df[monetary].astype(float)),
        },
        index=df.index,
    )


def ltv_predict(
    df: pd.DataFrame,
    frequency: str = "purch_freq",
    order_value: str = "avg_ov",
    recency: str = "days_last_purch",
    half_life_days: float = 180.0,
) -> pd.Series:
    """Predicts the revenue of each customer over a period as long as the one frequency counts.

    It is frequency times order value, halved for every ``half_life_days`` since the last purchase.

    Args:
        df: One row per customer.
        frequency: Column of the number of purchases, 0 or more.
        order_value: Column of the average order value, 0 or more.
        recency: Column of days since the last purchase, 0 or more.
        half_life_days: Days after which a silent customer is worth half.

    Returns:
        Revenue in the unit of ``order_value``, named ``ltv``, with the index of ``df``.

    Raises:
        MetricsError: The table is empty, a column is missing, not numeric, negative or has missing
            values, or ``half_life_days`` is not above 0.
    """
    if not half_life_days > 0:
        raise MetricsError(f"half_life_days is {half_life_days}; give a number above 0")
    for column in (frequency, order_value, recency):
        _check_numeric(df, column)
        if (df[column] < 0).any():
            raise MetricsError(f"column {column} has negative values")
    decay = np.power(0.5, df[recency].astype(float) / half_life_days)
    return (df[frequency].astype(float) * df[order_value].astype(float) * decay).rename("ltv")


def _score(values: pd.Series) -> pd.Series:
    worse = values.rank(method="min").astype("int64") - 1
    return 1 + BINS * worse // len(values)


def _check_numeric(df: pd.DataFrame, column: str) -> None:
    if df.empty:
        raise MetricsError("the table has no rows")
    if column not in df.columns:
        raise MetricsError(f"column {column} is missing; columns here: {', '.join(map(str, df.columns))}")
    if not types.is_numeric_dtype(df[column]) or types.is_bool_dtype(df[column]):
        raise MetricsError(f"column {column} is {df[column].dtype}, not a number")
    if df[column].isna().any():
        raise MetricsError(f"column {column} has {int(df[column].isna().sum())} missing values; fill or drop them")
