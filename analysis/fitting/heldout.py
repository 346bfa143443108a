"""Held-out points: fit below a threshold, score above it, and choose a form by that. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import Floats
from analysis.fitting.fit import Fit, fit_points, frontier_points, root_mean_square
from analysis.fitting.recipe import Recipe
from analysis.fitting.shared import Points, fit_jointly

CANDIDATES = ("power", "power_floor", "saturating")
"""What `form=best` chooses from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heldout:
    """How a law that was fitted to `num_fitted` points below a threshold does above it.

    `x` (k, q), `y` (k,): the frontier of the runs above. `rmse` is in units of y, None where there is
    nothing to score.
    """

    above: float
    num_fitted: int
    x: Floats
    y: Floats
    rmse: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which form did best on held-out points, and the error of each (None: it could not be fitted)."""

    form: str
    errors: dict[str, float | None]


def fit_below(x: Floats, y: Floats, recipe: Recipe, above: float) -> tuple[Fit, Heldout]:
    """Split runs with inputs x (n, q) at a compute, fit one side, score the other.

    The frontier rule runs on each side by itself. With two inputs, compute is their product.
    """
    near, far = _split((x, y), above)
    fit = fit_points(*near, recipe)
    return fit, _scored(fit, far, recipe, above)


def fit_jointly_below(
    groups: Sequence[Points], recipe: Recipe, shared: tuple[str, ...], above: float
) -> list[tuple[Fit, Heldout]]:
    """Do so with groups whose exponents `shared` are the same."""
    sides = [_split(points, above) for points in groups]
    fits = fit_jointly([near for near, _ in sides], recipe, shared)
    each = zip(fits, sides, strict=True)
    return [(fit, _scored(fit, far, recipe, above)) for fit, (_, far) in each]


def _split(points: Points, above: float) -> tuple[Points, Points]:
    """Return the points up to a compute, and those above it."""
    x, y = points
    is_above = x.prod(axis=1) > above
    return (x[~is_above], y[~is_above]), (x[is_above], y[is_above])


def _scored(fit: Fit, far: Points, recipe: Recipe, above: float) -> Heldout:
    """Return how a fit does on the frontier of points above it."""
    x, y = frontier_points(*far, recipe)
    error = root_mean_square(fit.law.at(x) - y) if fit.law and len(y) else None
    return Heldout(above=above, num_fitted=len(fit.y), x=x, y=y, rmse=error)


def best_form(splits: Mapping[float, Points], recipe: Recipe) -> Choice | None:
    """Return the form with the least mean held-out error; None where none has one.

    Args:
        splits: thresholds → the runs to be split there.
        recipe: how each form is fitted.
    """
    quick = replace(recipe, num_resamples=0)
    errors = {name: _error(splits, replace(quick, form=name)) for name in CANDIDATES}
    scored = {name: error for name, error in errors.items() if error is not None}
    return Choice(form=min(scored, key=scored.__getitem__), errors=errors) if scored else None


def _error(splits: Mapping[float, Points], recipe: Recipe) -> float | None:
    errors = [fit_below(x, y, recipe, above)[1].rmse for above, (x, y) in splits.items()]
    known = [error for error in errors if error is not None]
    return float(np.mean(known)) if len(known) == len(errors) else None
