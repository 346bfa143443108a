"""From starts to optima: a bounded Levenberg-Marquardt descent of many problems at once.

Marquardt (1963) for squares. For Huber's cost the curvature is Newton's, of the points within delta,
damped by that of iteratively reweighted squares, which alone would creep (Madsen and Nielsen 1990).
What stands at a bound and would leave it is fixed for the step.
"""

from typing import Generic

import numpy as np

from analysis.arrays import Floats, Rows
from analysis.forms import Model
from analysis.solve.linear import solved
from analysis.solve.problem import M, Problems

MOST_STEPS = 150
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-10, 1e10
FASTER, SLOWER = 0.1, 6.0
SMALLEST_GAIN = 1e-13
"""A step that promises less than this share of the cost is the last."""
NO_COST = 1e-28
"""So small a share of a problem's scale is rounding."""
RIDGE = 1e-12


def descend(problems: Problems[M], start: Floats) -> tuple[Floats, Floats]:
    """Return where each problem's descent from `start` (R, p) ends, and what that costs (R,)."""
    walk = Walk(problems, start)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for _ in range(MOST_STEPS):
            if not len(walk.rows):
                break
            walk.step()
    return walk.found, walk.costs


class Walk(Generic[M]):
    """The problems that still move, and where all of them stand."""

    def __init__(self, problems: Problems[M], start: Floats) -> None:
        self.lower, self.upper = bounds(problems.form)
        self.found = np.clip(start, self.lower, self.upper)
        self.rows = np.arange(len(start))
        self._problems = problems
        self._state = problems.state(self.found)
        self._damping = np.full(len(start), FIRST_DAMPING)
        self._no_cost = NO_COST * problems.scale
        self.costs = self._state[2].copy()

    def step(self) -> None:
        """Try one step of each problem, take it where it does no harm, let go of those that arrived."""
        held, costs = self.found[self.rows], self._state[2]
        step, promised = self._proposal(held)
        there = np.clip(held + step, self.lower, self.upper)
        trial = self._problems.state(there)
        taken = trial[2] <= costs
        self.found[self.rows[taken]] = there[taken]
        self.costs[self.rows[taken]] = trial[2][taken]
        arrived = (promised <= SMALLEST_GAIN * costs + self._no_cost[self.rows]) & (self._damping <= 1)
        moving = ~arrived & (self._damping < MOST_DAMPING)
        change = np.where(taken, FASTER, SLOWER)
        self._damping = np.maximum(self._damping * change, LEAST_DAMPING)
        for old, new in zip(self._state, trial, strict=True):
            old[taken] = new[taken]
        if not moving.all():
            self._keep(np.flatnonzero(moving))

    def _keep(self, rows: Rows) -> None:
        self.rows, self._damping = self.rows[rows], self._damping[rows]
        self._problems = self._problems.taken(rows)
        residuals, gradient, costs = self._state
        self._state = residuals[rows], gradient[rows], costs[rows]

    def _proposal(self, held: Floats) -> tuple[Floats, Floats]:
        """Return the next step (R, p), and what it promises to save (R,)."""
        residuals, gradient, _ = self._state
        pull, curvature, bend = self._problems.cost.slopes(residuals, self._damping[:, None])
        weights = self._problems.weights
        slope = ((weights * pull)[:, None, :] @ gradient)[:, 0]
        matrix = gradient.swapaxes(-1, -2) @ ((weights * curvature)[..., None] * gradient)
        diagonal = np.einsum("rm,rmp,rmp->rp", weights * bend, gradient, gradient)
        matrix = matrix + diagonal[..., None] * np.eye(held.shape[-1])
        stuck = ((held <= self.lower) & (slope > 0)) | ((held >= self.upper) & (slope < 0))
        slope = np.where(stuck, 0.0, slope)
        matrix = np.where(stuck[..., None] | stuck[..., None, :], np.eye(held.shape[-1]), matrix)
        step = -solved(matrix, slope, ridge=RIDGE)
        return step, -np.einsum("rp,rp->r", step, slope)


def bounds(form: Model) -> tuple[Floats, Floats]:
    """Return the lower and upper bounds of the held parameters, each (p,)."""
    parameters = form.parameters
    return np.array([p.lower for p in parameters]), np.array([p.upper for p in parameters])
