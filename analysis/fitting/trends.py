"""What speaks against a law: no trend, a bad fit, parameters at bounds, intervals that are not so."""

import numpy as np
from scipy.special import stdtrit

from analysis.arrays import Floats
from analysis.fitting.recipe import Recipe
from analysis.fitting.uncertainty import Resampled, Uncertainty
from analysis.forms import Form, Power
from analysis.forms.form import SMALLEST
from analysis.solve.optimum import Optimum

FLAT = 0.005
"""An exponent of smaller size is no trend, however certain it is."""
LEAST_R2 = 0.8
LEVEL = 0.95
HELD = {"pareto": 0.87, "log2bins": 0.92}
"""The share of 95 % intervals of an exponent by the delta method that hold the truth, of the frontiers
where that is less (`benchmarks.analysis`)."""


def of_all(form: Form, inputs: Floats, y: Floats) -> list[str]:
    """Return what is wrong with the trend of all runs, (n, q) and (n,), for a power law of one input.

    The best of many runs falls with their number even where compute does nothing, so whether there is a
    trend at all is asked of all runs, not of the frontier.
    """
    x = inputs[:, 0]
    if not isinstance(form, Power) or (y <= 0).any() or len(np.unique(x)) < 2 or len(y) < 3:
        return []
    low, high = _slope(np.log(x), np.log(y))
    if low <= 0 <= high or abs(low + high) < 2 * FLAT:
        return [f"flat: over all runs the exponent is between {low:.2g} and {high:.2g}"]
    return ["over all runs it rises: more compute makes it worse"] if low > 0 else []


def _slope(x: Floats, y: Floats) -> tuple[float, float]:
    """Return the interval of the slope of a line through points, by least squares."""
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    degrees = len(x) - 2
    error = np.sqrt(((y - slope * x) ** 2).sum() / degrees / (x @ x))
    width = float(stdtrit(degrees, (1 + LEVEL) / 2) * error)
    return slope - width, slope + width


def of_law(form: Form, params: dict[str, float], best: Optimum, r2: float) -> list[str]:
    """Return what is wrong with a fit."""
    found = [f"{letter} is at its bound 0" for letter in _at_bound(form, best)]
    if isinstance(form, Power):
        exponent = params[form.exponents[0]]
        if 0 < abs(exponent) < FLAT:
            found.append(f"flat: the exponent of the law is {exponent:.4f}")
    if r2 < LEAST_R2:
        found.append(f"no good fit: R² is {r2:.2f}")
    if not best.is_certified:
        found.append(
            f"the optimum is not certain: {best.num_agreeing} of {best.num_starts} starts reach it"
        )
    return found


def of_intervals(form: Form, best: Optimum, known: Uncertainty | None, recipe: Recipe) -> list[str]:
    """Return what keeps intervals from holding the truth as often as they say.

    By the delta method a parameter at its bound counts as free, as it may well be above it. That makes
    the intervals of the others too wide; were it fixed there, they would be far too narrow.
    """
    if known is None and recipe.num_resamples:
        return [f"no interval: all {recipe.num_resamples} resamples had too few points for a fit"]
    if known is None:
        return ["no interval: the points do not determine all parameters"]
    if isinstance(known, Resampled):
        return known.warnings(recipe.level)
    if _at_bound(form, best):
        return ["intervals too wide, as the delta method's are beside a bound: see bootstrap=1000"]
    if recipe.frontier not in HELD:
        return []
    return [
        f"intervals too narrow: through frontier={recipe.frontier}, 95% ones by the delta method hold "
        f"the exponent {HELD[recipe.frontier]:.0%} of the time; bootstrap=1000 resamples through it"
    ]


def _at_bound(form: Form, best: Optimum) -> list[str]:
    """Return the letters of parameters that stand at a bound."""
    each = zip(form.parameters, best.held.tolist(), strict=True)
    return [
        p.letter
        for p, held in each
        if held in (p.lower, p.upper) or (p.is_log and held <= np.log(SMALLEST) / 2)
    ]
