"""Which rows of a table are meant: filters on columns; and the quantity `y`."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from sweeps.errors import UsageError, choices

ERROR = "error:"
"""`error:COLUMN` is 1 − COLUMN: the error rate of an accuracy or a recall."""


def filtered(frame: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows that satisfy all filters.

    Args:
        frame: the table.
        where: column → value, list of values (any of them), or {min: …, max: …}.

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
    if column not in frame.columns:
        raise UsageError(f"the table has no column {column!r}. {choices(column, frame.columns)}")


def require_numbers(frame: pd.DataFrame, column: str) -> None:
    """Check that a column exists and holds numbers.

    Raises:
        UsageError: it does not.
    """
    require_column(frame, column)
    if not is_numeric_dtype(frame[column]):
        raise UsageError(f"the column {column!r} holds no numbers")


def _mask(values: pd.Series, wanted: Any) -> pd.Series:
    if isinstance(wanted, Mapping):
        are_numbers = all(isinstance(bound, (int, float)) for bound in wanted.values())
        if set(wanted) - {"min", "max"} or not are_numbers or not is_numeric_dtype(values):
            raise UsageError(
                f"where.{values.name}={dict(wanted)}: min= and max= are numbers, for a column of them"
            )
        low, high = wanted.get("min"), wanted.get("max")
        mask = values.notna()
        if low is not None:
            mask &= values >= low
        if high is not None:
            mask &= values <= high
        return mask
    return values.isin(wanted if isinstance(wanted, list) else [wanted])
