"""Being among the first k of a ranking in which scores may be equal."""

import math

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def hit_rate(above: Counts, tied: Counts, relevant: Counts, k: int) -> float:
    """Return the expected share of queries that find something relevant among the first `k`."""
    return float(np.mean(hit_chances(above, tied, relevant, k)))


def hit_chances(above: Counts, tied: Counts, relevant: Counts, k: int) -> NDArray[np.float64]:
    """Return for each query the chance that something relevant is among the first `k`.

    Equal scores stand in random order, so a model that tells nothing apart scores what chance scores.

    Args:
        above: for each query how many candidates score higher than the best relevant one.
        tied: how many score as much as it does, itself and other relevant ones included.
        relevant: how many of the tied are relevant.
        k: how many guesses count.
    """
    places = np.clip(k - above, 0, tied)
    misses = [
        math.comb(t - r, p) / math.comb(t, p)
        for t, r, p in zip(tied.tolist(), relevant.tolist(), places.tolist(), strict=True)
    ]
    return 1 - np.array(misses)
