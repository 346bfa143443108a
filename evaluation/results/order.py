"""The order of rows by their keys, and which of them is the newest, for tables as `scan` reads them."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evaluation.results.rows import KEY

Rows = NDArray[np.int64]
"""Numbers of rows."""


def by_key(table: pa.Table) -> Rows:
    """Return all rows in the order of their keys."""
    return _order(_key_codes(table))


def newest(table: pa.Table) -> Rows:
    """Return of the rows with equal keys the one that was scored last, in the order of the keys."""
    codes, scored_at = _key_codes(table), table.column("scored_at").to_numpy()
    order = _order(codes)
    is_repeated = codes[order][1:] == codes[order][:-1]
    group = np.flatnonzero(np.append(is_repeated, False) | np.insert(is_repeated, 0, False))
    rows = order[group]
    order[group] = rows[np.lexsort((scored_at[rows], codes[rows]))]
    newest: Rows = order[np.append(~is_repeated, True)[: len(order)]]
    return newest


def _order(codes: NDArray[np.int64]) -> Rows:
    """Return what orders rows; quick where they are a few sorted runs one after the other."""
    return np.argsort(codes, kind="stable")


def _key_codes(table: pa.Table) -> NDArray[np.int64]:
    """Return a number for each row, in the order of the keys."""
    codes = np.zeros(table.num_rows, dtype=np.int64)
    for name in KEY:
        ranks = np.concatenate([_ranks(chunk) for chunk in table.column(name).chunks])
        codes *= int(ranks.max(initial=0)) + 1
        codes += ranks
    return codes


def _ranks(chunk: pa.Array) -> NDArray[np.integer]:
    """Return numbers from 0 in the order of the values, equal where these are."""
    ranks: NDArray[np.integer] = getattr(chunk, "indices", chunk).to_numpy()
    return ranks
