"""Rows as Arrow tables and Parquet files. Apart from the store, because importing Arrow takes long."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.rows import Row
from sweeps import durable

TYPES = {int: pa.int64(), float: pa.float64(), str: pa.string()}

BASE_SCHEMA = pa.schema(
    [
        (name, TYPES[(get_args(kind) or (kind,))[0]])
        for name, kind in Row.__annotations__.items()
        if name != "metrics"
    ]
)
"""Columns that every row has; each metric is a further float column."""


def table_of(rows: Iterable[Row]) -> pa.Table:
    """Return rows as a table; metrics become columns."""
    records: list[dict[str, Any]] = []
    for row in rows:
        record = msgspec.to_builtins(row)
        records.append({**record, **record.pop("metrics")})
    extra = sorted({key for record in records for key in record} - set(BASE_SCHEMA.names) - {"metrics"})
    schema = pa.schema([*BASE_SCHEMA, *[(name, pa.float64()) for name in extra]])
    return pa.Table.from_pylist(records, schema=schema)


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables; a column that one lacks is null there."""
    return pa.concat_tables(tables, promote_options="permissive")


def write(path: Path, table: pa.Table) -> None:
    """Write a table as a Parquet file."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(path, buffer.getvalue().to_pybytes())


def read(path: Path) -> pa.Table:
    """Return the table in a Parquet file."""
    return pq.read_table(path)
