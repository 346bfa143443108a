"""Fit several groups at once that share exponents, so that each lends the others its points. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.arrays import Floats, Rows
from analysis.fitting.fit import Fit, Law, fit_points, problem_of, resamples, warnings_of
from analysis.fitting.recipe import Recipe
from analysis.fitting.uncertainty import Delta, Resampled, Uncertainty, delta_of
from analysis.forms import Form
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
    """Return the laws of groups whose exponents `shared` are the same, but for those without a fit.

    All groups have noise of one kind. A group that is the only one with a fit is fitted alone.
    """
    alone = [fit_points(x, y, replace(recipe, num_resamples=0)) for x, y in groups]
    fitted = [number for number, fit in enumerate(alone) if fit.law is not None]
    if len(fitted) < 2:
        return [fit_points(x, y, recipe) for x, y in groups]
    form = Joint(base=recipe.shape, shared=shared, num_groups=len(fitted))
    problems = [problem_of(form.base, alone[n].x, alone[n].y, recipe.cost) for n in fitted]
    best = joint_optimum(problems, form)
    whole = _uncertainty([groups[n] for n in fitted], recipe, form, joined(problems, form), best)
    found = [replace(fit, recipe=recipe) for fit in alone]
    for place, number in enumerate(fitted):
        held = best.held[form.places(place)]
        own = replace(best, held=held, cost=float(problems[place].state(held[None])[2][0]))
        x, y = groups[number]
        known = _part(whole, form, place, len(y))
        law = Law(form=form.base, problems=problems[place], best=own, uncertainty=known)
        notes = warnings_of(law, x, y, recipe)
        found[number] = replace(found[number], law=law, warnings=notes)
    return found


def _uncertainty(
    groups: Sequence[Points], recipe: Recipe, form: Joint, whole: Problems[Joint], best: Optimum
) -> Uncertainty | None:
    if not recipe.num_resamples:
        return delta_of(whole, best.held)
    seeds = (replace(recipe, seed=recipe.seed + number) for number in range(len(groups)))
    drawn = [resamples(x, y, one) for (x, y), one in zip(groups, seeds, strict=True)]
    enough = _have_enough(drawn, form)
    if not len(enough):
        return None
    every = joined(drawn, form).taken(enough)
    draws, _ = descend(every, np.broadcast_to(best.held, (len(enough), len(best.held))))
    num_runs = sum(len(y) for _, y in groups)
    return Resampled(
        form=form, draws=draws, places=enough, num_asked=recipe.num_resamples, num_runs=num_runs,
        degrees=num_runs - len(best.held), num_own=num_runs, is_joint=True,
    )  # fmt: skip


def _have_enough(drawn: Sequence[Problems[Form]], form: Joint) -> Rows:
    """Return the resamples in which each group's points tell its own parameters, and all tell all."""
    each = np.stack([(one.weights > 0).sum(axis=1) for one in drawn])
    own = sum(p.letter not in form.shared for p in form.base.parameters)
    return np.flatnonzero((each >= own).all(axis=0) & (each.sum(axis=0) >= len(form.parameters)))


def _part(whole: Uncertainty | None, form: Joint, group: int, num_runs: int) -> Uncertainty | None:
    """Return what is known of one group, which has so many runs."""
    places = form.places(group)
    match whole:
        case Delta():
            covariance = whole.covariance[np.ix_(places, places)]
            return replace(whole, form=form.base, held=whole.held[places], covariance=covariance)
        case Resampled():
            return replace(whole, form=form.base, draws=whole.draws[:, places], num_own=num_runs)
        case _:
            return None
