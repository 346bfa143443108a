"""Filters on columns of Arrow tables, so that what is not wanted need not be read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sweeps.errors import UsageError

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are meant: `mask` says so of each row of a table, by the columns of `schema`."""

    mask: Callable[[pa.Table], Mask]
    schema: pa.Schema

    @property
    def keeps_all(self) -> bool:
        """Whether it asks about nothing."""
        return not len(self.schema)

    def rows(self, table: pa.Table) -> NDArray[np.intp]:
        """Return the numbers of the rows of a table that are meant."""
        return np.flatnonzero(self.mask(table))

    def __and__(self, other: "Filter") -> "Filter":
        return Filter(lambda table: self.mask(table) & other.mask(table), _both(self, other))

    def __invert__(self) -> "Filter":
        return Filter(lambda table: ~self.mask(table), self.schema)

    def __or__(self, other: "Filter") -> "Filter":
        if self.keeps_all:
            return self
        return Filter(lambda table: self.mask(table) | other.mask(table), _both(self, other))


def filter_of(schema: pa.Schema, where: Mapping[str, Any]) -> Filter:
    """Return the filter that `select.filtered` applies to a frame, for tables of a schema.

    Raises:
        UsageError: bounds are no numbers, or are asked of a column of text.
    """
    everything = Filter(lambda table: np.ones(table.num_rows, dtype=np.bool_), pa.schema([]))
    return reduce(
        and_, (_one(schema.field(name), wanted) for name, wanted in where.items()), everything
    )


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


def _one(field: pa.Field, wanted: Any) -> Filter:
    condition = _condition(field, wanted)
    return Filter(lambda table: condition(table.column(field.name)), pa.schema([field]))


def _condition(field: pa.Field, wanted: Any) -> Callable[[pa.ChunkedArray], Mask]:
    is_text = pa.types.is_dictionary(field.type)
    if isinstance(wanted, Mapping):
        low, high = bounds(field.name, wanted, are_numbers=not is_text)
        return lambda column: _within(_numbers(column), low, high)
    values = wanted if isinstance(wanted, list) else [wanted]
    kinds = {str} if is_text else {int, float}
    comparable = [value for value in values if type(value) in kinds]
    found_in = _words_in if is_text else _numbers_in
    return lambda column: found_in(column, comparable, None in values)


def _within(numbers: NDArray[np.float64], low: float | None, high: float | None) -> Mask:
    mask = ~np.isnan(numbers)
    mask = mask if low is None else mask & (numbers >= low)
    return mask if high is None else mask & (numbers <= high)


def _numbers_in(column: pa.ChunkedArray, wanted: Iterable[float], null: bool) -> Mask:
    numbers = _numbers(column)
    found = np.isin(numbers, np.array([*wanted], dtype=np.float64))
    return found | np.isnan(numbers) if null else found


def _words_in(column: pa.ChunkedArray, wanted: Iterable[str], null: bool) -> Mask:
    """Look each word up once, however many rows have it."""
    chunks = [_chunk_in(chunk, pa.array(wanted, pa.string()), null) for chunk in column.chunks]
    return np.concatenate([np.empty(0, dtype=np.bool_), *chunks])


def _chunk_in(chunk: pa.DictionaryArray, wanted: pa.Array, null: bool) -> Mask:
    are_wanted = np.append(pc.is_in(chunk.dictionary, wanted).to_numpy(zero_copy_only=False), null)
    mask: Mask = are_wanted[chunk.indices.fill_null(-1).to_numpy()]
    return mask


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column as floats, as pandas compares it with floats; what is null is NaN."""
    numbers: NDArray[np.float64] = column.to_numpy().astype(np.float64, copy=False)
    return numbers
