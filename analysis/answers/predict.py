"""What laws say of compute that nobody spent yet, and how far that is from what they rest on. Pure."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.fitting.fit import Fit
from analysis.forms import Form
from sweeps.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """The value of a law at x, with its interval; None where there is no law or no interval.

    `extrapolation`: how many times x is the largest input of the fit, or the smallest is x; 1 within.
    """

    x: tuple[float, ...]
    value: float | None
    low: float | None
    high: float | None
    extrapolation: float | None


def places(numbers: tuple[float, ...], form: Form) -> Floats:
    """Return the inputs that `at=` names, (n, q).

    Raises:
        UsageError: one is not finite or not above 0, or their number is no multiple of the inputs'.
    """
    if not numbers:
        raise UsageError("say where: at=C, or at=N,D for chinchilla")
    if len(numbers) % form.num_inputs:
        raise UsageError(
            f"at={','.join(f'{n:g}' for n in numbers)}: {form.name} takes {form.num_inputs} a point"
        )
    for number in numbers:
        if not 0 < number < np.inf:
            raise UsageError(f"at={number:g} is no finite number above 0")
    return np.array(numbers).reshape(-1, form.num_inputs)


def predictions(fit: Fit, x: Floats) -> list[Prediction]:
    """Return the prediction of a fit at each x (n, q)."""
    if fit.law is None:
        return [_nothing(tuple(at)) for at in x.tolist()]
    values, band = fit.law.at(x).tolist(), fit.law.band(x, fit.recipe.level)
    lows, highs = (band[0].tolist(), band[1].tolist()) if band else ([None] * len(x), [None] * len(x))
    beyond = np.maximum(x / fit.x.max(axis=0), fit.x.min(axis=0) / x).max(axis=1)
    each = zip(x.tolist(), values, lows, highs, np.maximum(beyond, 1.0).tolist(), strict=True)
    return [
        Prediction(x=tuple(at), value=value, low=low, high=high, extrapolation=times)
        for at, value, low, high, times in each
    ]


def _nothing(x: tuple[float, ...]) -> Prediction:
    return Prediction(x=x, value=None, low=None, high=None, extrapolation=None)
