"""What is minimised: a form, points with weights, how a residual is measured and what it costs."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from analysis.arrays import Floats, Rows
from analysis.forms import Model

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What residuals cost. Up to `delta` half their square, beyond it a line (Huber 1964).

    With an infinite `delta` that is least squares. `is_log`: residuals are differences of natural
    logarithms, so that an error of one per cent costs the same everywhere.
    """

    is_log: bool
    delta: float = np.inf

    @property
    def is_squared(self) -> bool:
        """Whether it is least squares."""
        return bool(np.isinf(self.delta))

    def residuals(self, value: Floats, y: Floats) -> Floats:
        """Return the residuals of values against what was measured."""
        return np.log(value) - np.log(y) if self.is_log else value - y

    def total(self, residuals: Floats, weights: Floats) -> Floats:
        """Return the cost of each problem, residuals (R, m) → (R,)."""
        if self.is_squared:
            squares: Floats = np.einsum("rm,rm,rm->r", weights, residuals, residuals)
            return 0.5 * squares
        inside = np.minimum(np.abs(residuals), self.delta)
        each = inside * (np.abs(residuals) - 0.5 * inside)
        total: Floats = np.einsum("rm,rm->r", weights, each)
        return total

    def slopes(self, residuals: Floats, damping: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the derivative of each residual's cost, its curvature, and a damping of its own.

        The curvature multiplies products of all gradients, the damping those on the diagonal.
        """
        if self.is_squared:
            ones = np.ones_like(residuals)
            return residuals, ones, damping * ones
        size = np.maximum(np.abs(residuals), self.delta)
        reweighted = self.delta / size
        curvature = (size <= self.delta) + damping * reweighted
        return residuals * reweighted, curvature, np.zeros_like(residuals)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problems(Generic[M]):
    """R fits of one model: x (R or 1, m, q), y (R, m), weights (R, m), 0 of what is left out."""

    form: M
    x: Floats
    y: Floats
    weights: Floats
    cost: Cost

    def taken(self, rows: Rows) -> "Problems[M]":
        """Return some of the problems, each as often as it is named."""
        x = self.x if len(self.x) == 1 else self.x[rows]
        return replace(self, x=x, y=self.y[rows], weights=self.weights[rows])

    @property
    def scale(self) -> Floats:
        """What it costs to be off by all of y, or by a factor of e: (R,). A small share is rounding."""
        return self.cost.total(np.ones_like(self.y) if self.cost.is_log else self.y, self.weights)

    def state(self, held: Floats) -> tuple[Floats, Floats, Floats]:
        """Return residuals (R, m), their gradient (R, m, p) and the cost of each problem (R,)."""
        with np.errstate(
            over="ignore", invalid="ignore", divide="ignore"
        ):  # such costs are never taken
            value, gradient = self.form.value(held, self.x)
            residuals = self.cost.residuals(value, self.y)
            if self.cost.is_log:
                gradient = gradient / value[..., None]
            return residuals, gradient, self.cost.total(residuals, self.weights)
