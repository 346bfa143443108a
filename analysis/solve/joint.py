"""The best fit of several groups that share exponents: starts in which they agree, then one descent."""

from collections.abc import Sequence

import numpy as np

from analysis.arrays import Floats, Rows
from analysis.forms import Form
from analysis.forms.joint import Joint
from analysis.solve.optimum import NUM_STARTS, Optimum, best_of
from analysis.solve.problem import Problems
from analysis.solve.projection import projected


def joined(groups: Sequence[Problems[Form]], form: Joint) -> Problems[Joint]:
    """Return R problems of each group as R problems of all groups (R or 1 where they are the same)."""
    numbered = [
        np.concatenate([one.x, np.full((*one.x.shape[:2], 1), float(number))], axis=2)
        for number, one in enumerate(groups)
    ]
    most = max(len(x) for x in numbered)
    x = np.concatenate([np.broadcast_to(x, (most, *x.shape[1:])) for x in numbered], axis=1)
    y = np.concatenate([one.y for one in groups], axis=1)
    weights = np.concatenate([one.weights for one in groups], axis=1)
    return Problems(form=form, x=x, y=y, weights=weights, cost=groups[0].cost)


def joint_optimum(groups: Sequence[Problems[Form]], form: Joint) -> Optimum:
    """Return the best fit of one problem of each group."""
    starts = _starts(groups, form)
    return best_of(joined(groups, form).taken(np.zeros(len(starts), dtype=np.intp)), starts)


def _starts(groups: Sequence[Problems[Form]], form: Joint) -> Floats:
    """Return what is held in the best cells of several bands of the shared exponents: (starts, p)."""
    cells = form.base.grid(np.concatenate([one.x[0] for one in groups]))
    columns = [number for number, letter in enumerate(form.base.exponents) if letter in form.shared]
    _, places = np.unique(cells[:, columns], axis=0, return_inverse=True)
    found = [projected(one, cells) for one in groups]
    best = [_best_cells(costs[0], places) for costs, _ in found]
    totals = sum(costs[0][cell] for (costs, _), cell in zip(found, best, strict=True))
    chosen = [
        band[np.argmin(totals[band])] for band in np.array_split(np.arange(len(totals)), NUM_STARTS)
    ]
    held = np.empty((len(chosen), len(form.parameters)))
    for group, ((_, weights), cell) in enumerate(zip(found, best, strict=True)):
        picked = cell[chosen]
        held[:, form.places(group)] = form.base.held(cells[picked], weights[0][picked])
    return held


def _best_cells(costs: Floats, places: Rows) -> Rows:
    """Return the cheapest cell of each place."""
    order = np.lexsort((costs, places))
    _, first = np.unique(places[order], return_index=True)
    return order[first]
