"""What models cost: compute as a law of their size and samples. Pure."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from sweeps.errors import UsageError

MOST_OFF = 1.5
"""Models that cost so many times more or less than the law says are said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flops:
    """C = `scale` · N^(1 + `growth`) · D, of N parameters and D samples.

    One parameter costs between `least` and `most` on one sample, a model at most `most_off` times more
    or less than the law says. Units are those of the compute.
    """

    scale: float
    least: float
    most: float
    growth: float = 0.0
    most_off: float = 1.0

    def sentence(self) -> str:
        """Return the law with its numbers, and what it averages over."""
        size = f"N^{1 + self.growth:.3g}" if f"{self.growth:.3f}".strip("-0.") else "N"
        law = f"C = {self.scale:.3g}·{size}·D"
        if f"{self.least:.3g}" == f"{self.most:.3g}":
            return law
        return f"{law}, one parameter costing {self.least:.3g} to {self.most:.3g} a sample"

    def warnings(self) -> list[str]:
        """Return what speaks against it."""
        if self.most_off <= MOST_OFF:
            return []
        return [
            f"a model costs {self.most_off:.3g} times more or less than C = k·N^q·D says: "
            "take models of one kind, by where.COLUMN="
        ]


def constant(flops: float) -> Flops:
    """Return the law of models whose parameters all cost the same.

    Raises:
        UsageError: that is no finite number above 0.
    """
    if not 0 < flops < np.inf:
        raise UsageError(
            f"flops={flops:g}, of one parameter on one sample, is no finite number above 0"
        )
    return Flops(scale=flops, least=flops, most=flops)


def flops_law(sizes: Floats, samples: Floats, compute: Floats) -> Flops:
    """Return the law of runs, each (n,), by least squares in logarithms; each size counts once.

    Raises:
        UsageError: no run says what it cost.
    """
    is_known = (compute > 0) & (sizes > 0) & (samples > 0)
    log_n = np.log(sizes[is_known])
    log_k = np.log(compute[is_known]) - log_n - np.log(samples[is_known])
    if not len(log_k):
        raise UsageError("no run has a compute above 0: say flops=K, of one parameter on one sample")
    growth, offset = _line(log_n, log_k)
    off = np.abs(log_k - offset - growth * log_n).max()
    scale, least, most, most_off = np.exp([offset, log_k.min(), log_k.max(), off]).tolist()
    return Flops(scale=scale, least=least, most=most, growth=growth, most_off=most_off)


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Return slope and offset of the line through the mean y of each x."""
    places, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    means = np.bincount(which, weights=y) / counts
    away = places - places.mean()
    slope = float(away @ means / (away @ away)) if len(places) > 1 else 0.0
    return slope, float(means.mean() - slope * places.mean())
