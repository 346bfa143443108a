"""Compute frontiers: which runs tell how good a compute budget can be made to do. Pure."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sweeps.errors import UsageError, choices

Floats = NDArray[np.float64]
Points = NDArray[np.intp]
"""Row numbers of the points on the frontier, by ascending x."""

NUM_BINS = 5


def frontier(name: str, x: Floats, y: Floats) -> tuple[Floats, Floats, Points]:
    """Return the abscissae, ordinates and row numbers of the points that a fit uses.

    Args:
        name: `none` (all points), `pareto` (each better than all cheaper ones), or `bins5`.
        x: compute, shape (n,).
        y: what falls with compute, shape (n,).

    Raises:
        UsageError: there is no such rule.
    """
    if name not in RULES:
        raise UsageError(f"frontier={name} is unknown. {choices(name, RULES)}")
    return RULES[name](x, y)


def _all(x: Floats, y: Floats) -> tuple[Floats, Floats, Points]:
    order = np.argsort(x, kind="stable")
    return x[order], y[order], order


def _pareto(x: Floats, y: Floats) -> tuple[Floats, Floats, Points]:
    """Keep what is strictly better than everything that costs no more."""
    order = np.lexsort((y, x))
    best = np.minimum.accumulate(np.concatenate([[np.inf], y[order]]))[:-1]
    kept = order[y[order] < best]
    return x[kept], y[kept], kept


def _bins5(x: Floats, y: Floats) -> tuple[Floats, Floats, Points]:
    """Keep the least y in five equal bins of log10 x over [min, max + 0.1], at the bin's centre.

    The rule of the 2023 study (arXiv:2212.07143, its notebook).
    """
    log_x = np.log10(x)
    edges = np.linspace(log_x.min(), log_x.max() + 0.1, NUM_BINS + 1)
    bins = np.digitize(log_x, edges) - 1
    kept = [
        here[np.argmin(y[here])]
        for number in range(NUM_BINS)
        if len(here := np.flatnonzero(bins == number))
    ]
    rows = np.array(kept, dtype=np.intp)
    centres = (edges[:-1] + edges[1:]) / 2
    return 10 ** centres[bins[rows]], y[rows], rows


RULES: dict[str, Callable[[Floats, Floats], tuple[Floats, Floats, Points]]] = {
    "none": _all,
    "pareto": _pareto,
    "bins5": _bins5,
}
