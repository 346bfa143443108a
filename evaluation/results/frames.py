"""Arrow columns as a pandas frame, made one at a time on all cores."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionArray

from evaluation.results.arrow import WORDS, table_of
from evaluation.results.order import Rows
from evaluation.results.rows import Row
from evaluation.results.scan import Scan, scan_of


def frame_of(scan: Scan, names: Sequence[str], rows: Rows) -> pd.DataFrame:
    """Return some columns of some rows, in the order that these are named.

    Text becomes a categorical whose categories are the values that are there, in the order of the
    alphabet. Integers stay integers, even where some are missing.
    """
    hardest_first = names[::-1]  # metrics stand last, and repeat themselves least
    with ThreadPoolExecutor(pa.cpu_count()) as threads:
        made = threads.map(lambda name: _array(scan.column(name), rows), hardest_first)
        columns = dict(zip(hardest_first, made, strict=True))
    return pd.DataFrame({name: columns[name] for name in names}, copy=False)


def frame_of_rows(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as a frame; metrics become columns."""
    scan = scan_of([], table_of(rows))
    return frame_of(scan, scan.schema.names, np.arange(len(rows)))


def _array(column: pa.ChunkedArray, rows: Rows) -> ExtensionArray | NDArray[np.generic]:
    if column.type == WORDS:
        codes = pa.chunked_array([chunk.indices for chunk in column.chunks])
        return _categorical(codes.fill_null(-1).to_numpy()[rows], column.chunk(0).dictionary)
    if column.type == pa.int64() and column.null_count:
        is_null = column.is_null().to_numpy()
        return pd.arrays.IntegerArray(column.fill_null(0).to_numpy()[rows], is_null[rows])
    values: NDArray[np.generic] = column.to_numpy()[rows]
    return values


def _categorical(codes: NDArray[np.int32], words: pa.Array) -> pd.Categorical:
    """Return what codes stand for, −1 for a missing value; words that do not occur are left out."""
    occurs = np.zeros(len(words) + 1, dtype=np.bool_)
    occurs[codes] = True
    used = np.flatnonzero(occurs[:-1])
    if len(used) < len(words):
        codes = np.append(np.cumsum(occurs[:-1]) - 1, -1)[codes]
    kind = pd.CategoricalDtype(pd.Index(words.take(used).to_pandas(), dtype="str"))
    return pd.Categorical.from_codes(codes, dtype=kind, validate=False)
