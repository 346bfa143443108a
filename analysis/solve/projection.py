"""Starts: on a grid of the non-linear parameters the others are solved for exactly.

Variable projection (Golub and Pereyra 1973) with weights ≥ 0. As there are at most three of them, which
are 0 is found by trying all cases: exact, and many problems at once.
"""

import itertools

import numpy as np

from analysis.arrays import Floats
from analysis.forms import Form
from analysis.solve.linear import solved
from analysis.solve.problem import Problems

RIDGE = 1e-13


def projected(problems: Problems[Form], cells: Floats) -> tuple[Floats, Floats]:
    """Return the cost (R, G) of cells (G, k) of a grid at their best weights, and these (R, G, l).

    Logarithmic residuals are taken as relative ones, which they are to first order; Huber's cost as
    half the square.
    """
    basis = problems.form.basis(cells, problems.x)
    weights = problems.weights / problems.y**2 if problems.cost.is_log else problems.weights
    slopes = basis @ (weights * problems.y)[:, None, :, None]
    width = basis.shape[-2]
    normal = np.empty((*slopes.shape[:-1], width))
    for one, other in itertools.combinations_with_replacement(range(width), 2):
        product = (basis[:, :, one] * basis[:, :, other]) @ weights[..., None]
        normal[..., one, other] = normal[..., other, one] = product[..., 0]
    gain, best = _largest_gain(normal, slopes[..., 0])
    total = np.einsum("rm,rm,rm->r", weights, problems.y, problems.y)
    return 0.5 * (total[:, None] - gain), best


def _largest_gain(normal: Floats, slopes: Floats) -> tuple[Floats, Floats]:
    """Return the largest 2 vᵀz − zᵀMz over z ≥ 0, and that z, for M (…, l, l) and v (…, l)."""
    gain, best = np.zeros(slopes.shape[:-1]), np.zeros_like(slopes)
    names = range(slopes.shape[-1])
    for free in itertools.chain.from_iterable(itertools.combinations(names, n + 1) for n in names):
        part = slopes[..., free]
        weights = solved(normal[..., free, :][..., free], part, ridge=RIDGE)
        here = np.einsum("...l,...l->...", part, weights)
        is_better = (weights >= 0).all(-1) & (here > gain)
        gain = np.where(is_better, here, gain)
        full = np.zeros_like(best)
        full[..., free] = weights
        best = np.where(is_better[..., None], full, best)
    return gain, best
