"""Filters on columns in the form that Arrow takes, so that what is not wanted need not be read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sweeps.errors import UsageError


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are meant. `schema`: the columns that it asks about."""

    expression: pc.Expression
    schema: pa.Schema

    @property
    def keeps_all(self) -> bool:
        """Whether it asks about nothing."""
        return not len(self.schema)

    def rows(self, table: pa.Table) -> NDArray[np.int64]:
        """Return the numbers of the rows of a table that are meant."""
        numbered = table.append_column("", pa.array(np.arange(table.num_rows)))
        rows: NDArray[np.int64] = numbered.filter(self.expression).column("").to_numpy()
        return rows

    def __and__(self, other: "Filter") -> "Filter":
        return Filter(self.expression & other.expression, _both(self, other))

    def __invert__(self) -> "Filter":
        return Filter(~self.expression, self.schema)

    def __or__(self, other: "Filter") -> "Filter":
        return Filter(self.expression | other.expression, _both(self, other))


def filter_of(schema: pa.Schema, where: Mapping[str, Any]) -> Filter:
    """Return the filter that `select.filtered` applies to a frame, for tables of a schema.

    Raises:
        UsageError: bounds are no numbers, or are asked of a column of text.
    """
    asked = pa.schema([schema.field(name) for name in where])
    conditions = (_one(schema.field(name), wanted) for name, wanted in where.items())
    return Filter(reduce(and_, conditions, pc.scalar(True)), asked)


def bounds(
    column: str, wanted: Mapping[str, Any], *, are_numbers: bool
) -> tuple[float | None, float | None]:
    """Return the bounds that {min: …, max: …} gives to a column.

    Raises:
        UsageError: they are no numbers, or the column holds none.
    """
    are_bounds = all(isinstance(bound, (int, float)) for bound in wanted.values())
    if set(wanted) - {"min", "max"} or not are_bounds or not are_numbers:
        raise UsageError(
            f"where.{column}={dict(wanted)}: min= and max= are numbers, for a column of them"
        )
    return wanted.get("min"), wanted.get("max")


def _both(one: Filter, other: Filter) -> pa.Schema:
    return pa.unify_schemas([one.schema, other.schema])


def _one(field: pa.Field, wanted: Any) -> pc.Expression:
    if isinstance(wanted, Mapping):
        return _within(field, wanted)
    return _any_of(field, wanted if isinstance(wanted, list) else [wanted])


def _within(field: pa.Field, wanted: Mapping[str, Any]) -> pc.Expression:
    low, high = bounds(field.name, wanted, are_numbers=not pa.types.is_dictionary(field.type))
    column = _number(field)
    found = column.is_valid()
    found = found if low is None else found & (column >= low)
    return found if high is None else found & (column <= high)


def _any_of(field: pa.Field, wanted: Iterable[Any]) -> pc.Expression:
    values, is_text = list(wanted), pa.types.is_dictionary(field.type)
    column = pc.field(field.name) if is_text else _number(field)
    kinds = {str} if is_text else {int, float}
    comparable = [value for value in values if type(value) in kinds]
    found = (
        column.isin(pa.array(comparable, pa.string() if is_text else pa.float64()))
        if comparable
        else pc.scalar(False)
    )
    return found | column.is_null() if None in values else found


def _number(field: pa.Field) -> pc.Expression:
    """Return a column as floats: Arrow compares no large integers with them."""
    return pc.field(field.name).cast(pa.float64(), safe=False)
