"""Random numbers as functions of seed, use and place: Philox counters (Salmon et al., SC 2011)."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

UNIFORMS_PER_SAMPLE = 16
NUMBERS_PER_BLOCK = 4
"""Philox makes so many at once."""


class Use(IntEnum):
    """What a random stream is for; streams of different uses are independent."""

    SHARDS = 1
    CHUNKS = 2
    BLOCKS = 3
    AUGMENTATION = 4
    SOURCES = 5
    REPLACEMENT = 6


def random_stream(seed: int, use: int, *where: int) -> np.random.Generator:
    """Return the random stream of one seed, use and place; equal arguments, equal stream."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, use, *where])))


def augmentation_uniforms(seed: int, first: int, count: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1) for `count` positions from `first`, shape (count, 16).

    Those of a position depend on the seed and the position only, not on who asks for what else.
    """
    philox = np.random.Philox(np.random.SeedSequence([seed, Use.AUGMENTATION]))
    philox.advance(first * UNIFORMS_PER_SAMPLE // NUMBERS_PER_BLOCK)
    return np.random.Generator(philox).random((count, UNIFORMS_PER_SAMPLE))


def distinct(values: Ints) -> list[int]:
    """Return the different values in ascending order: few of many, mostly."""
    return sorted(set(values.tolist()))
