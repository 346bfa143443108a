"""Which rows of a table are meant: filters on columns; and the quantity `y`."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from evaluation.results.filters import bounds
from sweeps.errors import UsageError, choices

ERROR = "error:"
"""`error:COLUMN` is 1 − COLUMN: the error rate of an accuracy or a recall."""


def filtered(frame: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows that satisfy all filters.

    Args:
        frame: the table.
        where: column → value, list of values (any of them), or {min: …, max: …}. None: not known.

    Raises:
        UsageError: there is no such column.
    """
    for column, wanted in where.items():
        require_column(frame, column)
        frame = frame[_mask(frame[column], wanted)]
    return frame


def quantity(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return the column that `name` means: itself, or 1 − COLUMN for `error:COLUMN`."""
    column = name.removeprefix(ERROR)
    require_column(frame, column)
    return 1 - frame[column] if name.startswith(ERROR) else frame[column]


def require_column(frame: pd.DataFrame, column: str) -> None:
    """Check that a column exists.

    Raises:
        UsageError: it does not; the nearest names are suggested.
    """
    require_known([column], frame.columns)


def require_known(columns: Iterable[str], known: Collection[str]) -> None:
    """Check that the table has all of these columns.

    Raises:
        UsageError: one does not exist; the nearest names are suggested.
    """
    for column in columns:
        if column not in known:
            raise UsageError(f"the table has no column {column!r}. {choices(column, known)}")


def require_numbers(frame: pd.DataFrame, column: str) -> None:
    """Check that a column exists and holds numbers.

    Raises:
        UsageError: it does not.
    """
    require_column(frame, column)
    if not is_numeric_dtype(frame[column]):
        values = frame[column].dropna()
        text = values[pd.to_numeric(values, errors="coerce").isna()]
        first = f": {text.iloc[0]!r} in row {text.index[0]}" if len(text) else ""
        raise UsageError(f"the column {column!r} does not hold numbers only{first}")


def _mask(values: pd.Series, wanted: Any) -> pd.Series:
    if isinstance(wanted, Mapping):
        low, high = bounds(str(values.name), wanted, are_numbers=is_numeric_dtype(values))
        mask = values.notna()
        if low is not None:
            mask &= values >= low
        if high is not None:
            mask &= values <= high
        return mask
    listed = wanted if isinstance(wanted, list) else [wanted]
    found = values.isin([value for value in listed if value is not None])
    return found | values.isna() if None in listed else found
