"""The best fit: descents from the best cells of a grid, and whether independent ones agree."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats, Rows
from analysis.forms import Form
from analysis.solve.descent import descend
from analysis.solve.problem import M, Problems
from analysis.solve.projection import projected

NUM_STARTS = 6
AGREEMENT = 1e-8
"""Optima whose costs differ by a smaller share are the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimum:
    """The least cost that was found, and the held parameters (p,) there.

    `num_agreeing` of `num_starts` descents, each from another part of the grid, ended at that cost.
    """

    held: Floats
    cost: float
    num_starts: int
    num_agreeing: int

    @property
    def is_certified(self) -> bool:
        """Whether half of the starts led here, as those with one sign of a sigmoid's slope do."""
        return 2 * self.num_agreeing >= self.num_starts


def optimum(problems: Problems[Form]) -> Optimum:
    """Return the best fit of one problem."""
    cells = problems.form.grid(problems.x[0])
    starts = band_starts(problems, cells, NUM_STARTS)[1][0]
    return best_of(problems.taken(np.zeros(len(starts), dtype=np.intp)), starts)


def best_of(problems: Problems[M], starts: Floats) -> Optimum:
    """Return the best fit of one problem, given once for each start (starts, p)."""
    held, costs = descend(problems, starts)
    best = int(np.nanargmin(costs))
    agreeing = costs <= costs[best] * (1 + AGREEMENT) + 1e-20 * problems.scale[0]
    return Optimum(
        held=held[best],
        cost=float(costs[best]),
        num_starts=len(starts),
        num_agreeing=int(agreeing.sum()),
    )


def optima(problems: Problems[Form], whole: Problems[Form], near: Floats) -> tuple[Floats, Floats]:
    """Return the fits of many problems like the one `whole`, whose optimum is `near` (p,); their costs.

    Each descends from its own best cell of a short list, or from `near` where that costs less; with
    Huber's cost, which has small dents, from both. The list has the best cell of `whole` for each value
    of the grid's first parameter.
    """
    cells = whole.form.grid(whole.x[0])
    values = len(np.unique(cells[:, 0]))
    listed = cells[band_starts(whole, cells, values)[0][0]]
    starts = band_starts(problems, listed, 1)[1][:, 0]
    repeated = np.broadcast_to(near, starts.shape)
    if problems.cost.is_squared:
        is_nearer = problems.state(repeated)[2] < problems.state(starts)[2]
        return descend(problems, np.where(is_nearer[:, None], repeated, starts))
    (one, cost), (other, other_cost) = (descend(problems, start) for start in (starts, repeated))
    return np.where((cost <= other_cost)[:, None], one, other), np.minimum(cost, other_cost)


def band_starts(problems: Problems[Form], cells: Floats, num_bands: int) -> tuple[Rows, Floats]:
    """Return each problem's best cell in each band of their first parameter, and what is held there.

    Shapes: cells (G, k) → (R, bands) and (R, bands, p).
    """
    costs, weights = projected(problems, cells)
    values, place = np.unique(cells[:, 0], return_inverse=True)
    bands = place * num_bands // len(values)
    chosen, held = [], []
    for band in range(num_bands):
        inside = np.flatnonzero(bands == band)
        best = inside[np.argmin(costs[:, inside], axis=1)]
        own = np.take_along_axis(weights, best[:, None, None], axis=1)[:, 0]
        chosen.append(best)
        held.append(problems.form.held(cells[best], own))
    return np.stack(chosen, axis=1), np.stack(held, axis=1)
