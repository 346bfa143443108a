"""Rows of Parquet files and of a table in memory, whose columns are read when they are asked for.

So the whole of a large table is nowhere but in what is made of it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.results import arrow
from evaluation.results.filters import Filter
from sweeps.errors import DamagedFile


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rows of a row group of a Parquet file: those in `rows`, or all of them if it is None."""

    file: pq.ParquetFile
    schema: pa.Schema
    number: int
    rows: pa.Int64Array | None = None

    @property
    def num_rows(self) -> int:
        """How many rows are meant."""
        return self._said.num_rows if self.rows is None else len(self.rows)

    def kept(self, keep: Filter) -> "Group":
        """Return those of all rows of the group that a filter keeps."""
        table = pa.table([self.column(one) for one in keep.schema], schema=keep.schema)
        return replace(self, rows=pa.array(keep.rows(table)))

    def column(self, wanted: pa.Field) -> pa.ChunkedArray:
        """Return a column; it is null if the file has none of its name."""
        place = self.schema.get_field_index(wanted.name)
        if place < 0:
            return pa.chunked_array([pa.nulls(self.num_rows, wanted.type)])
        if (only := self._only_value(place)) is not None:
            return pa.chunked_array([arrow.repeated(only, wanted.type, self.num_rows)])
        # Of one group at a time, so that all are read into the same few pages of memory.
        read = self.file.read_row_group(self.number, columns=[wanted.name], use_threads=False)
        return read.column(0) if self.rows is None else read.column(0).take(self.rows)

    def _only_value(self, place: int) -> Any:
        """Return the one value that a column has, if the file says so, which saves reading it."""
        said = self._said.column(place).statistics
        if said is None or pa.types.is_floating(self.schema.field(place).type):
            return None  # NaN has no part in what is said
        is_one = said.has_min_max and said.null_count == 0 and said.min == said.max
        return said.min if is_one else None

    @property
    def _said(self) -> pq.RowGroupMetaData:
        return self.file.metadata.row_group(self.number)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """Rows of row groups and of a table in memory, in this order; `held`: columns that are read."""

    schema: pa.Schema
    groups: tuple[Group, ...]
    fresh: pa.Table
    held: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)

    def kept(self, keep: Filter) -> "Scan":
        """Return the rows that a filter keeps."""
        if keep.keeps_all:
            return self
        with ThreadPoolExecutor(pa.cpu_count()) as threads:
            kept = threads.map(lambda group: group.kept(keep), self.groups)
            groups = tuple(group for group in kept if group.num_rows)
        return replace(self, groups=groups, fresh=self.fresh.filter(pa.array(keep.mask(self.fresh))))

    def holding(self, columns: Sequence[str]) -> "Scan":
        """Return it with some columns read already."""
        table = self.table(columns)
        return replace(self, held={name: table.column(name) for name in columns})

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Return some columns."""
        with ThreadPoolExecutor(pa.cpu_count()) as threads:
            return pa.table([*threads.map(self.column, columns)], names=columns)

    def column(self, name: str) -> pa.ChunkedArray:
        """Return a column; of text all chunks share their words, in the order of the alphabet."""
        if name in self.held:
            return self.held[name]
        wanted = self.schema.field(name)
        parts = [*(group.column(wanted) for group in self.groups), self.fresh.column(name)]
        none = pa.array([], wanted.type)  # so that there is a chunk
        whole = pa.chunked_array([none, *(chunk for part in parts for chunk in part.chunks)])
        return arrow.with_sorted_words(whole) if wanted.type == arrow.WORDS else whole


def scan_of(paths: Iterable[Path], fresh: pa.Table) -> Scan:
    """Return all rows of Parquet files and a table; a column that one lacks is null there.

    Raises:
        DamagedFile: one is no Parquet file.
    """
    # Threads share a file, which they may where nothing is buffered.
    files = [_opened(path) for path in paths]
    schemas = [file.schema_arrow for file in files]
    schema = pa.unify_schemas([arrow.BASE_SCHEMA, *schemas, fresh.schema])
    groups = tuple(chain.from_iterable(map(_groups_of, files, schemas)))
    return Scan(schema=schema, groups=groups, fresh=arrow.conformed(fresh, schema))


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise DamagedFile(f"{path} is damaged: {error}") from error


def _groups_of(file: pq.ParquetFile, schema: pa.Schema) -> Iterator[Group]:
    numbers = range(file.num_row_groups)
    return (Group(file=file, schema=schema, number=number) for number in numbers)
