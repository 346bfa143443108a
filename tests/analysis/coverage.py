"""How often intervals hold a truth that is known: simulated studies. Pure."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.fitting.fit import problem_of
from analysis.fitting.recipe import Recipe
from analysis.fitting.uncertainty import Delta, delta_of
from analysis.solve.optimum import optima
from analysis.solve.problem import Problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Shares of studies: whose interval holds each parameter, whose band holds the curve at each x."""

    num_studies: int
    params: dict[str, float]
    band: Floats


def coverage(recipe: Recipe, held: Floats, x: Floats, studies: Floats) -> Coverage:
    """Return how often the delta method covers a law, without a frontier step.

    Args:
        recipe: how the studies are fitted.
        held: the law's held parameters, shape (p,).
        x: where each study measures, shape (n, q).
        studies: what they measured, shape (R, n).
    """
    form = recipe.shape
    curve = form.value(held[None], x[None])[0]
    whole = problem_of(form, x, curve[0], recipe.cost)
    every = Problems(form=form, x=x[None], y=studies, weights=np.ones_like(studies), cost=recipe.cost)
    fits, _ = optima(every, whole, held)
    methods = [
        delta_of(problem_of(form, x, y, recipe.cost), fit) for y, fit in zip(studies, fits, strict=True)
    ]
    known = [method for method in methods if method is not None]
    truth = {p.letter: float(p.natural(at)) for p, at in zip(form.parameters, held, strict=True)}
    inside = [_holds(method, truth, recipe.level) for method in known]
    return Coverage(
        num_studies=len(known),
        params={letter: float(np.mean([one[letter] for one in inside])) for letter in truth},
        band=np.mean([_covers(method, curve[0], x, recipe.level) for method in known], axis=0),
    )


def _holds(method: Delta, truth: dict[str, float], level: float) -> dict[str, bool]:
    interval = method.interval(level)
    return {letter: interval[letter][0] <= at <= interval[letter][1] for letter, at in truth.items()}


def _covers(method: Delta, curve: Floats, x: Floats, level: float) -> Floats:
    low, high = method.band(x, level)
    covered: Floats = ((low <= curve) & (curve <= high)).astype(np.float64)
    return covered
