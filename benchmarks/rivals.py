"""How published studies fitted their laws: one-start BFGS, and `curve_fit` from a grid of starts."""

import itertools

import numpy as np
from scipy.optimize import curve_fit, minimize

from analysis.arrays import Floats


def bfgs_chinchilla(x: Floats, y: Floats, weights: Floats, start: Floats, delta: float) -> float:
    """Return the Huber cost that BFGS with an analytic gradient reaches from a start.

    The parameters are (ln A, alpha, ln B, beta, E), residuals logarithmic, as for our fit; x (n, 2).
    """
    log_n, log_d = np.log(x).T
    log_y = np.log(y)

    def cost(held: Floats) -> tuple[float, Floats]:
        of_size = np.exp(held[0] - held[1] * log_n)
        of_data = np.exp(held[2] - held[3] * log_d)
        value = of_size + of_data + held[4]
        if not (value > 0).all():
            return np.inf, np.zeros(5)
        residuals = np.log(value) - log_y
        inside = np.clip(residuals, -delta, delta)
        total = float(weights @ (inside * (residuals - 0.5 * inside)))
        pull = weights * inside / value
        size, data = pull * of_size, pull * of_data
        return total, np.array([size.sum(), -size @ log_n, data.sum(), -data @ log_d, pull.sum()])

    with np.errstate(all="ignore"):
        return float(minimize(cost, start, jac=True, method="BFGS").fun)


def curve_fit_saturating(x: Floats, y: Floats, num_starts: int) -> tuple[float, int]:
    """Return the least sum of squares over the comparison study's starts, and how many reach it.

    Its grid: 20 scales × 20 offsets × 4 exponents × 2 floors, as they are, unscaled. Of these 3,200 as
    many as asked for are taken, evenly.
    """

    def model(c: Floats, a: float, b: float, power: float, floor: float) -> Floats:
        return a * (c + b) ** power + floor

    axes = (range(0, 100, 5), range(0, 100, 5), (-0.2, -0.15, -0.1, -0.05), (0, 5e-4))
    grid = list(itertools.product(*axes))
    bounds = ([0, 0, -np.inf, 0], [np.inf, np.inf, 0, np.inf])
    found = []
    for place in np.linspace(0, len(grid) - 1, num_starts).astype(int):
        try:
            params, _ = curve_fit(model, x, y, p0=grid[place], bounds=bounds)
        except (RuntimeError, ValueError):
            continue
        found.append(float(((model(x, *params) - y) ** 2).sum()))
    best = min(found)
    return best, sum(cost <= best * (1 + 1e-6) for cost in found)
