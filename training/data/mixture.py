"""Which source a sample comes from, and how many came from it before, without counting them.

Each lane of the order draws its sources by itself, in blocks of consecutive samples. How many of a
block are of which source follows from the weights alone: of the first n samples of a lane, a source
has the integers between n × (the sum of the weights before it) and n × (that and its own), rounded;
so its share is exact in the long run and its count known at every block. Inside a block a permutation
mixes the sources.
"""

import functools
from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from training.data.streams import Ints, Use, distinct, random_stream

LEAST_BLOCK = 1024


class Mixture:
    """Answers which source stands at an offset of a lane.

    Args:
        weights: share of each source in the samples, up to a common factor.
        seed: the run's seed.
        num_lanes: lanes of the order.
    """

    def __init__(self, weights: Sequence[float], *, seed: int, num_lanes: int) -> None:
        exact = [Fraction(weight) for weight in weights]
        total = sum(exact)
        self._sums = [sum(exact[:n]) / total for n in range(len(exact) + 1)]
        self._seed = seed
        # So long that rounding twice takes no more of a source than a block has of it.
        self._block = max(LEAST_BLOCK, ceil(2 * total / min(exact)))
        self._drawn = functools.lru_cache(maxsize=2 * num_lanes)(self._draw)

    def locate(self, lane: int, offsets: Ints) -> tuple[Ints, Ints]:
        """Return (source, offset inside that source's lane) of offsets of a lane, as two arrays."""
        if len(self._sums) == 2:
            return np.zeros_like(offsets), offsets
        blocks, inside = np.divmod(offsets, self._block)
        sources, own = np.empty_like(offsets), np.empty_like(offsets)
        for block in distinct(blocks):
            here = blocks == block
            drawn, earlier = self._drawn(lane, block)
            sources[here], own[here] = drawn[inside[here]], earlier[inside[here]]
        return sources, own

    def _draw(self, lane: int, block: int) -> tuple[NDArray[np.int64], Ints]:
        """Return the sources of a block, and how many samples each had before in the whole lane."""
        before, after = self._counts(block), self._counts(block + 1)
        ordered = np.repeat(np.arange(len(before)), after - before)
        drawn = random_stream(self._seed, Use.SOURCES, lane, block).permutation(ordered)
        earlier = np.empty_like(drawn)
        for source, count in enumerate(before.tolist()):
            here = np.flatnonzero(drawn == source)
            earlier[here] = count + np.arange(len(here))
        return drawn, earlier

    def _counts(self, blocks: int) -> Ints:
        """Return how many samples each source has in the first blocks of any lane."""
        ends = np.array([blocks * self._block * part // 1 for part in self._sums], dtype=np.int64)
        return ends[1:] - ends[:-1]
