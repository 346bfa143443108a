"""Lists of uids, by which DataComp (Gadre et al. 2023, arXiv:2304.14108) names subsets of its pool."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeps.errors import DataError

HALF_BITS = 64
UID = np.dtype("u8,u8")


class UidList:
    """A sorted `.npy` of 128-bit uids, each a pair of u8 (high, low); memory-mapped.

    Raises:
        DataError: the file is missing or holds something else.
    """

    def __init__(self, path: Path) -> None:
        try:
            pairs = np.load(path, mmap_mode="r")
        except FileNotFoundError as error:
            raise DataError(f"there is no list of uids {path}") from error
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is no .npy file of uids: {error}") from error
        if pairs.dtype != UID or pairs.ndim != 1:
            raise DataError(f"{path} holds {pairs.dtype}, not uids: u8,u8 pairs as DataComp has them")
        self._high, self._low = pairs["f0"], pairs["f1"]

    def __len__(self) -> int:
        return len(self._high)

    def contain(self, uids: Sequence[int]) -> NDArray[np.bool_]:
        """Return for each uid whether it is in the list, shape (uids,), by bisection."""
        if not len(self):
            return np.zeros(len(uids), dtype=bool)
        high = np.array([uid >> HALF_BITS for uid in uids], dtype=np.uint64)
        low = np.array([uid & (1 << HALF_BITS) - 1 for uid in uids], dtype=np.uint64)
        first = np.zeros(len(uids), dtype=np.int64)
        last = np.full(len(uids), len(self), dtype=np.int64)
        while np.any(first < last):
            middle = np.minimum((first + last) // 2, len(self) - 1)
            at_high, at_low = self._high[middle], self._low[middle]
            is_less = (at_high < high) | ((at_high == high) & (at_low < low))
            is_open = first < last
            first = np.where(is_open & is_less, middle + 1, first)
            last = np.where(is_open & ~is_less, middle, last)
        place = np.minimum(first, len(self) - 1)
        return np.asarray((self._high[place] == high) & (self._low[place] == low))
