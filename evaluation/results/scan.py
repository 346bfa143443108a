"""Rows of Parquet files and of a table in memory, whose columns are read when they are asked for.

So the whole of a large table is nowhere but in what is made of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.results import arrow
from evaluation.results.filters import Filter


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """Rows of a Parquet file: those of some groups that `mask` says, or all of them if it is None."""

    file: pq.ParquetFile
    schema: pa.Schema
    groups: Sequence[int]
    mask: pa.BooleanArray | None = None

    @property
    def num_rows(self) -> int:
        """How many rows are meant."""
        return sum(self._sizes()) if self.mask is None else int(self.mask.true_count)

    def kept(self, keep: Filter) -> "File":
        """Return those of all rows of the file that a filter keeps."""
        mask = keep.mask(pa.table([self.column(one) for one in keep.schema], schema=keep.schema))
        of_groups = np.split(mask, np.cumsum(self._sizes()))
        groups = [group for group in self.groups if of_groups[group].any()]
        some = np.concatenate([mask[:0], *(of_groups[group] for group in groups)])
        return replace(self, groups=groups, mask=pa.array(some))

    def column(self, wanted: pa.Field) -> pa.ChunkedArray:
        """Return a column; it is null if the file has none of its name."""
        place = self.schema.get_field_index(wanted.name)
        if place < 0:
            return pa.chunked_array([pa.nulls(self.num_rows, wanted.type)])
        if (only := self._only_value(place)) is not None:
            return pa.chunked_array([arrow.repeated(only, wanted.type, self.num_rows)])
        read = self.file.read_row_groups(self.groups, columns=[wanted.name], use_threads=False)
        return read.column(0) if self.mask is None else read.column(0).filter(self.mask)

    def _only_value(self, place: int) -> Any:
        """Return the one value that a column has, if the file says so, which saves reading it."""
        if pa.types.is_floating(self.schema.field(place).type):
            return None  # NaN has no part in what is said
        of_groups = (self.file.metadata.row_group(group).column(place) for group in self.groups)
        values = {_only_value(group.statistics) for group in of_groups}
        return values.pop() if len(values) == 1 else None

    def _sizes(self) -> list[int]:
        return [self.file.metadata.row_group(group).num_rows for group in self.groups]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """Rows of files and of a table in memory, in this order. `held`: columns that were read before."""

    schema: pa.Schema
    files: tuple[File, ...]
    fresh: pa.Table
    held: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)

    def kept(self, keep: Filter) -> "Scan":
        """Return the rows that a filter keeps."""
        if keep.keeps_all:
            return self
        with ThreadPoolExecutor(pa.cpu_count()) as threads:
            files = tuple(threads.map(lambda file: file.kept(keep), self.files))
        return replace(self, files=files, fresh=self.fresh.filter(pa.array(keep.mask(self.fresh))))

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
        parts = [*(file.column(wanted) for file in self.files), self.fresh.column(name)]
        none = pa.array([], wanted.type)  # so that there is a chunk
        whole = pa.chunked_array([none, *(chunk for part in parts for chunk in part.chunks)])
        return arrow.with_sorted_words(whole) if wanted.type == arrow.WORDS else whole


def scan_of(paths: Iterable[Path], fresh: pa.Table) -> Scan:
    """Return all rows of Parquet files and a table; a column that one lacks is null there."""
    # Threads share a file, which they may where nothing is buffered.
    files = tuple(_whole(pq.ParquetFile(path, pre_buffer=False)) for path in paths)
    schema = pa.unify_schemas([arrow.BASE_SCHEMA, *(file.schema for file in files), fresh.schema])
    return Scan(schema=schema, files=files, fresh=arrow.conformed(fresh, schema))


def _whole(file: pq.ParquetFile) -> File:
    return File(file=file, schema=file.schema_arrow, groups=range(file.num_row_groups))


def _only_value(said: pq.Statistics | None) -> Any:
    is_one = said is not None and said.has_min_max and said.null_count == 0 and said.min == said.max
    return said.min if said is not None and is_one else None
