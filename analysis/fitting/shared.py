"""Fit several groups at once that share exponents, so that each lends the others its points. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.arrays import Floats
from analysis.fitting import trends
from analysis.fitting.fit import Fit, Law, fit_points, problem_of, resamples
from analysis.fitting.recipe import Recipe
from analysis.fitting.uncertainty import Delta, Resampled, Uncertainty, delta_of
from analysis.forms.joint import Joint
from analysis.solve.descent import descend
from analysis.solve.joint import joined, joint_optimum
from analysis.solve.optimum import Optimum
from analysis.solve.problem import Problems
from sweeps.errors import UsageError, choices

Points = tuple[Floats, Floats]
"""Inputs (n, q) and values (n,)."""


def require_exponents(recipe: Recipe, shared: Sequence[str]) -> None:
    """Check that these are letters that groups may share.

    Raises:
        UsageError: one is not.
    """
    for letter in shared:
        if letter not in recipe.shape.exponents:
            known = choices(letter, recipe.shape.exponents)
            raise UsageError(f"shared={letter} is no exponent of form={recipe.form}. {known}")


def fit_jointly(groups: Sequence[Points], recipe: Recipe, shared: tuple[str, ...]) -> list[Fit]:
    """Return the laws of groups whose exponents `shared` are the same, but for those without a fit."""
    alone = [fit_points(x, y, replace(recipe, num_resamples=0)) for x, y in groups]
    fitted = [number for number, fit in enumerate(alone) if fit.law is not None]
    if len(fitted) < 2:
        return alone
    form = Joint(base=recipe.shape, shared=shared, num_groups=len(fitted))
    problems = [problem_of(form.base, alone[n].x, alone[n].y, recipe.cost) for n in fitted]
    best = joint_optimum(problems, form)
    whole = _uncertainty([groups[n] for n in fitted], recipe, form, joined(problems, form), best)
    found = list(alone)
    for place, number in enumerate(fitted):
        held = best.held[form.places(place)]
        own = replace(best, held=held, cost=float(problems[place].state(held[None])[2][0]))
        law = Law(
            form=form.base, problems=problems[place], best=own, uncertainty=_part(whole, form, place)
        )
        found[number] = replace(
            alone[number], law=law, warnings=_warnings(groups[number], law, recipe.level)
        )
    return found


def _warnings(points: Points, law: Law, level: float) -> list[str]:
    x, y = points
    notes = [*trends.of_all(law.form, x, y), *trends.of_law(law.form, law.params, law.best, law.r2)]
    known = law.uncertainty
    return [*notes, *known.warnings(level)] if isinstance(known, Resampled) else notes


def _uncertainty(
    groups: Sequence[Points], recipe: Recipe, form: Joint, whole: Problems[Joint], best: Optimum
) -> Uncertainty | None:
    if not recipe.num_resamples:
        return delta_of(whole, best.held)
    seeds = (replace(recipe, seed=recipe.seed + number) for number in range(len(groups)))
    drawn = [resamples(x, y, one) for (x, y), one in zip(groups, seeds, strict=True)]
    every = joined(drawn, form)
    draws, _ = descend(every, np.broadcast_to(best.held, (recipe.num_resamples, len(best.held))))
    num_runs = sum(len(y) for _, y in groups)
    return Resampled(
        form=form, draws=draws, num_asked=recipe.num_resamples, num_runs=num_runs,
        degrees=num_runs - len(best.held), is_joint=True,
    )  # fmt: skip


def _part(whole: Uncertainty | None, form: Joint, group: int) -> Uncertainty | None:
    """Return what is known of one group."""
    places = form.places(group)
    match whole:
        case Delta():
            covariance = whole.covariance[np.ix_(places, places)]
            return replace(whole, form=form.base, held=whole.held[places], covariance=covariance)
        case Resampled():
            return replace(whole, form=form.base, draws=whole.draws[:, places])
        case _:
            return None
