"""Rows as Arrow tables and Parquet files. Apart from the store, because importing Arrow takes long."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evaluation.results.rows import Row
from sweeps import durable

WORDS = pa.dictionary(pa.int32(), pa.string())
"""Text that many rows share."""

ROWS_PER_GROUP = 2**17
"""Groups of rows of which a filter keeps none are not read."""


def _type_of(annotation: Any) -> pa.DataType:
    """Return the type of a column of `Row`, in which any may be null."""
    kind = [*get_args(annotation), annotation][0]
    return {int: pa.int64(), float: pa.float64(), str: WORDS}[kind]


BASE_SCHEMA = pa.schema(
    [(name, _type_of(kind)) for name, kind in get_type_hints(Row).items() if name != "metrics"]
)
"""Columns that every row has; each metric is a further float column."""


def table_of(rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table; metrics become columns."""
    values = [*zip(*map(attrgetter(*BASE_SCHEMA.names), rows), strict=True)] or [()] * len(BASE_SCHEMA)
    columns = {f.name: pa.array(of_it, f.type) for f, of_it in zip(BASE_SCHEMA, values, strict=True)}
    for name in sorted({name for row in rows for name in row.metrics}):
        columns[name] = pa.array([row.metrics.get(name) for row in rows], pa.float64())
    return pa.table(columns)


@contextmanager
def memory() -> Iterator[None]:
    """Let Arrow take memory as the C library does: mimalloc, its own choice, is three times as slow."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def with_sorted_words(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text whose chunks share their words, sorted."""
    chunks = column.unify_dictionaries().chunks
    order = pc.sort_indices(chunks[0].dictionary)
    places = pc.sort_indices(order).cast(pa.int32())  # what inverts an order is its own order
    words = chunks[0].dictionary.take(order)
    codes = (places.take(chunk.indices) for chunk in chunks)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(some, words) for some in codes])


def repeated(value: Any, kind: pa.DataType, num: int) -> pa.Array:
    """Return a value so many times."""
    if kind != WORDS:
        return pa.repeat(pa.scalar(value, kind), num)
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), num), [value])


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the columns of a schema; those that a table lacks are null."""
    present = set(table.column_names)
    columns = [
        table.column(field.name) if field.name in present else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def write(path: Path, table: pa.Table) -> None:
    """Write a table as a Parquet file. Values that hardly repeat are kept plain: that is smaller."""
    repeating = [field.name for field in BASE_SCHEMA if field.name != "scored_at"]
    buffer = pa.BufferOutputStream()
    form = {"compression": "zstd", "row_group_size": ROWS_PER_GROUP, "use_dictionary": repeating}
    pq.write_table(table, buffer, **form)
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, buffer.getvalue())
