"""Compute frontiers: which runs tell how good a compute budget can be made to do. Pure.

A rule is applied to many resamples at once, so that a bootstrap goes through it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats, Rows
from sweeps.errors import UsageError, choices

NUM_BINS = 5
COST_OF_LEAST_BIN = 1500
"""The comparison study has an edge for each doubling of compute beyond so many GFLOPs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The points of R resamples that a fit uses, k columns, those without weight left out.

    `rows`: of the runs, (R or 1, k). `x`: abscissa (R or 1, k), which a rule may move. `weights`:
    (R, k), how often each point counts.
    """

    rows: Rows
    x: Floats
    weights: Floats


def frontier(name: str, x: Floats, y: Floats) -> tuple[Rows, Floats]:
    """Return the row numbers of the points that a fit uses, by ascending x, and their abscissae.

    Raises:
        UsageError: there is no such rule.
    """
    if not len(x):
        return np.empty(0, dtype=np.intp), np.empty(0)
    found = selected(name, x, y, np.ones((1, len(x))))
    kept = found.weights[0] > 0
    return found.rows[0][kept], found.x[0][kept]


def selected(name: str, x: Floats, y: Floats, counts: Floats) -> Selection:
    """Return what a rule keeps of resamples.

    Args:
        name: `none` (all points), `pareto` (each better than all that cost no more), `bins5`,
            `log2bins`.
        x: compute, shape (n,).
        y: what falls with compute, shape (n,).
        counts: how often each run is in each resample, shape (R, n).

    Raises:
        UsageError: there is no such rule.
    """
    if name not in RULES:
        raise UsageError(f"frontier={name} is unknown. {choices(name, RULES)}")
    return RULES[name](x, y, counts)


def _all(x: Floats, _y: Floats, counts: Floats) -> Selection:
    order = np.argsort(x, kind="stable")
    return Selection(rows=order[None], x=x[None, order], weights=counts[:, order])


def _pareto(x: Floats, y: Floats, counts: Floats) -> Selection:
    """Keep what is strictly better than everything that costs no more."""
    order = np.lexsort((y, x))
    drawn = np.where(counts[:, order] > 0, y[order], np.inf)
    return Selection(rows=order[None], x=x[None, order], weights=_improving(drawn))


def _bins5(x: Floats, y: Floats, counts: Floats) -> Selection:
    """Keep the least y in five equal bins of log10 x over [min, max + 0.1], at the bin's centre.

    The rule of the 2023 study (arXiv:2212.07143, its notebook).
    """
    log_x = np.log10(x)
    low, high = _range(log_x, counts)
    edges = np.linspace(low, high + 0.1, NUM_BINS + 1, axis=-1)
    bins = (log_x[:, None] >= edges[:, None, :]).sum(-1) - 1
    rows, best = _least(bins, y, counts, NUM_BINS)
    centres = (edges[:, :-1] + edges[:, 1:]) / 2
    return Selection(rows=rows, x=10**centres, weights=np.isfinite(best).astype(np.float64))


def _log2bins(x: Floats, y: Floats, counts: Floats) -> Selection:
    """Keep the least y between edges that double compute, where it improves on all cheaper ones.

    The rule of the comparison study (its `pareto_bin`): int(log2(max / 1500)) edges, spaced evenly in
    log x from min to max; an interval ends below its upper edge, so the dearest run is in none.
    """
    log_x = np.log2(x)
    low, high = _range(log_x, counts)
    number = np.maximum(np.floor(high - np.log2(COST_OF_LEAST_BIN)) - 1, 0)
    width = np.where(number > 0, (high - low) / np.maximum(number, 1), 1.0)
    bins = np.floor((log_x - low[:, None]) / np.where(width > 0, width, 1.0)[:, None]).astype(np.intp)
    bins[bins >= number[:, None]] = -1
    rows, best = _least(bins, y, counts, int(number.max()))
    return Selection(rows=rows, x=x[rows], weights=_improving(best))


def _range(log_x: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Return the least and the largest of what each resample holds."""
    low = np.where(counts > 0, log_x, np.inf).min(axis=1)
    return low, np.where(counts > 0, log_x, -np.inf).max(axis=1)


def _least(bins: Rows, y: Floats, counts: Floats, number: int) -> tuple[Rows, Floats]:
    """Return row number and y of the best point of each bin, (R, number); inf where is none."""
    drawn = np.where(counts > 0, y, np.inf)
    if not number:
        return np.empty((len(counts), 0), dtype=np.intp), np.empty((len(counts), 0))
    found = [np.where(bins == one, drawn, np.inf) for one in range(number)]
    rows = np.stack([inside.argmin(axis=1) for inside in found], axis=1)
    return rows, np.stack([inside.min(axis=1) for inside in found], axis=1)


def _improving(y: Floats) -> Floats:
    """Return 1 where a row of y falls below all that stands before, else 0."""
    first = np.full((len(y), 1), np.inf)
    best = np.minimum.accumulate(np.concatenate([first, y], axis=1), axis=1)[:, :-1]
    return (y < best).astype(np.float64)


Rule = Callable[[Floats, Floats, Floats], Selection]
RULES: dict[str, Rule] = {"none": _all, "pareto": _pareto, "bins5": _bins5, "log2bins": _log2bins}
