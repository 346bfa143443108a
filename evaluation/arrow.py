"""Rows as Arrow tables and Parquet files. Apart from the store, because importing Arrow takes long."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from evaluation.filters import Filter
from evaluation.rows import KEY, Row
from sweeps import durable

if TYPE_CHECKING:
    import pandas as pd

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
    columns = {
        field.name: pa.array([getattr(row, field.name) for row in rows], field.type)
        for field in BASE_SCHEMA
    }
    for name in sorted({name for row in rows for name in row.metrics}):
        columns[name] = pa.array([row.metrics.get(name) for row in rows], pa.float64())
    return pa.table(columns)


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables; a column that one lacks is null there."""
    return pa.concat_tables(tables, promote_options="default").unify_dictionaries()


def joint_schema(paths: Iterable[Path], table: pa.Table) -> pa.Schema:
    """Return all columns of Parquet files and a table."""
    return pa.unify_schemas([BASE_SCHEMA, *map(pq.read_schema, paths), table.schema])


def some_of(schema: pa.Schema, columns: Iterable[str]) -> pa.Schema:
    """Return some columns of a schema."""
    return pa.schema([schema.field(name) for name in columns])


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


def read(path: Path) -> pa.Table:
    """Return the table in a Parquet file."""
    with pq.ParquetFile(path, pre_buffer=True) as file:
        return file.read()


def scan(path: Path, wanted: pa.Schema, keep: Filter) -> pa.Table:
    """Return some columns of those rows of a Parquet file that a filter keeps."""
    with pq.ParquetFile(path, pre_buffer=True) as file:
        if keep.keeps_all:
            return conformed(file.read(columns=_present(file, wanted.names)), wanted)
        groups = [_kept(file, group, wanted, keep) for group in range(file.num_row_groups)]
    return pa.concat_tables([wanted.empty_table(), *groups])


def _kept(file: pq.ParquetFile, group: int, wanted: pa.Schema, keep: Filter) -> pa.Table:
    """Return the rows of a group that a filter keeps.

    What the filter asks about is read first, and the rest only if it keeps any.
    """
    asked = file.read_row_group(group, columns=_present(file, keep.schema.names))
    asked = conformed(asked, keep.schema)
    rows = keep.rows(asked)
    others = _present(file, set(wanted.names).difference(asked.column_names))
    rest = file.read_row_groups([group] if len(rows) else [], columns=others)
    both = {name: table.column(name) for table in (asked, rest) for name in table.column_names}
    return conformed(pa.table({name: column.take(rows) for name, column in both.items()}), wanted)


def _present(file: pq.ParquetFile, columns: Collection[str]) -> list[str]:
    return [name for name in file.schema_arrow.names if name in columns]


def frame_of(table: pa.Table) -> "pd.DataFrame":
    """Return a table as a frame: text as text, and integers as such, even where some are missing."""
    import pandas as pd

    plain = [f.with_type(pa.large_string()) if f.type == WORDS else f for f in table.schema]
    frame: pd.DataFrame = table.cast(pa.schema(plain)).to_pandas()
    for field in table.schema:
        column = table.column(field.name)
        if field.type == pa.int64() and column.null_count:
            frame[field.name] = column.to_pandas(types_mapper=lambda _: pd.Int64Dtype())
    return frame


def in_key_order(table: pa.Table) -> pa.Table:
    """Return the rows in the order of their keys."""
    codes = _key_codes(table)
    is_ordered = not (codes[1:] < codes[:-1]).any()
    return table if is_ordered else table.take(_order(codes))


def newest(table: pa.Table) -> pa.Table:
    """Return of the rows with equal keys the one that was scored last, in the order of the keys."""
    codes, scored_at = _key_codes(table), table.column("scored_at").to_numpy()
    order = _order(codes)
    is_repeated = codes[order][1:] == codes[order][:-1]
    group = np.flatnonzero(np.append(is_repeated, False) | np.insert(is_repeated, 0, False))
    rows = order[group]
    order[group] = rows[np.lexsort((scored_at[rows], codes[rows]))]
    return table.take(order[np.append(~is_repeated, True)[: len(order)]])


def _order(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what orders rows; quick where they are a few sorted runs one after the other."""
    return np.argsort(codes, kind="stable")


def _key_codes(table: pa.Table) -> NDArray[np.int64]:
    """Return a number for each row, in the order of the keys."""
    codes = np.zeros(table.num_rows, dtype=np.int64)
    for name in KEY:
        ranks = _ranks(table.column(name))
        codes = codes * (int(ranks.max(initial=0)) + 1) + ranks
    return codes


def _ranks(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return numbers from 0 in the order of a column's values, equal where these are."""
    numbers: NDArray[np.int64]
    if not pa.types.is_dictionary(column.type):
        numbers = column.to_numpy()
        return numbers
    whole = column.unify_dictionaries().combine_chunks()
    of_words = pc.rank(whole.dictionary, tiebreaker="dense").to_numpy().astype(np.int64) - 1
    numbers = of_words[whole.indices.to_numpy()]
    return numbers
