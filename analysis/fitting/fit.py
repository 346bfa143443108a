"""Fit a form to the frontier of runs, say how sure that is and what speaks against it. Pure."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats, Rows
from analysis.fitting import trends
from analysis.fitting.frontier import frontier, selected
from analysis.fitting.recipe import Recipe
from analysis.fitting.uncertainty import Bounds, Resampled, Uncertainty, delta_of
from analysis.forms import Form
from analysis.solve.optimum import Optimum, optima, optimum
from analysis.solve.problem import Cost, Problems
from sweeps.text import plural


@dataclass(frozen=True, kw_only=True, slots=True)
class Law:
    """A form with its parameters, and the points that it was fitted to.

    `problems`: the one problem that was solved. `uncertainty` is None where points are too few.
    """

    form: Form
    problems: Problems[Form]
    best: Optimum
    uncertainty: Uncertainty | None

    @property
    def params(self) -> dict[str, float]:
        """Its parameters by letter."""
        each = zip(self.form.parameters, self.best.held, strict=True)
        found = {p.letter: float(p.natural(value)) for p, value in each}
        return dict(sorted(found.items()))

    def at(self, x: Floats) -> Floats:
        """Return the law's value at x (n, q) or, with one input, (n,)."""
        values: Floats = self.form.value(self.best.held[None], _inputs(x, self.form)[None])[0][0]
        return values

    def interval(self, level: float) -> dict[str, Bounds]:
        """Return the interval of each parameter, or nothing."""
        if self.uncertainty is None:
            return {}
        return dict(sorted(self.uncertainty.interval(level).items()))

    def band(self, x: Floats, level: float) -> tuple[Floats, Floats] | None:
        """Return the bounds of the curve at x, or None."""
        if self.uncertainty is None:
            return None
        return self.uncertainty.band(_inputs(x, self.form), level)

    @property
    def residuals(self) -> Floats:
        """Residuals of the points that were used."""
        found: Floats = self.problems.state(self.best.held[None])[0][0]
        return found

    @property
    def sse(self) -> float:
        """The objective: the sum of squares, or Huber's."""
        return self.best.cost * (2 if self.problems.cost.is_squared else 1)

    @property
    def rmse(self) -> float:
        """The root mean square error of the points that were used, in units of y."""
        return root_mean_square(self.at(self.problems.x[0]) - self.problems.y[0])

    @property
    def r2(self) -> float:
        """The share of the variance explained, where residuals are taken."""
        y = np.log(self.problems.y[0]) if self.problems.cost.is_log else self.problems.y[0]
        total = float(((y - y.mean()) ** 2).sum())
        return 1 - float((self.residuals**2).sum()) / total if total else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A law on a frontier, or None with the reason among the warnings.

    `rows`: of the given points, those on the frontier; `x` (k, q), `y` (k,): as they were fitted.
    """

    recipe: Recipe
    law: Law | None
    rows: Rows
    x: Floats
    y: Floats
    warnings: list[str]


def fit_points(x: Floats, y: Floats, recipe: Recipe) -> Fit:
    """Return the law on the frontier of runs with inputs x, (n,) or (n, q), and y (n,).

    Raises:
        UsageError: there is no such rule or form.
    """
    form = recipe.shape
    inputs = _inputs(x, form)
    rows, used_x, used_y = _used(inputs, y, recipe)
    why_not = _why_no_fit(form, used_x, used_y, len(y), recipe)
    if why_not:
        law = None
        notes = [*trends.of_all(form, inputs, y), why_not]
    else:
        problems = problem_of(form, used_x, used_y, recipe.cost)
        best = optimum(problems)
        uncertainty = _uncertainty(inputs, y, recipe, problems, best)
        law = Law(form=form, problems=problems, best=best, uncertainty=uncertainty)
        notes = warnings_of(law, inputs, y, recipe)
    return Fit(recipe=recipe, law=law, rows=rows, x=used_x, y=used_y, warnings=notes)


def warnings_of(law: Law, x: Floats, y: Floats, recipe: Recipe) -> list[str]:
    """Return what speaks against the law of runs with inputs x (n, q) and y (n,)."""
    return [
        *trends.of_all(law.form, x, y),
        *trends.of_law(law.form, law.params, law.best, law.r2),
        *trends.of_intervals(law.form, law.best, law.uncertainty, recipe),
    ]


def problem_of(form: Form, x: Floats, y: Floats, cost: Cost) -> Problems[Form]:
    """Return the one problem of points x (k, q), y (k,)."""
    return Problems(form=form, x=x[None], y=y[None], weights=np.ones((1, len(y))), cost=cost)


def root_mean_square(errors: Floats) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(errors**2)))


def _inputs(x: Floats, form: Form) -> Floats:
    return np.asarray(x, dtype=np.float64).reshape(-1, form.num_inputs)


def frontier_points(x: Floats, y: Floats, recipe: Recipe) -> tuple[Floats, Floats]:
    """Return the points x (k, q), y (k,) that the frontier rule makes of runs x (n, q), y (n,)."""
    return _used(x, y, recipe)[1:]


def _used(x: Floats, y: Floats, recipe: Recipe) -> tuple[Rows, Floats, Floats]:
    """Return which rows the frontier keeps, and the x and y that are fitted."""
    if x.shape[1] > 1:
        return np.arange(len(y)), x, y
    rows, used_x = frontier(recipe.frontier, x[:, 0], y)
    return rows, used_x[:, None], y[rows]


def _why_no_fit(form: Form, x: Floats, y: Floats, num_given: int, recipe: Recipe) -> str:
    if not num_given:
        return "no fit: there is no run"
    if recipe.is_log and (y <= 0).any():
        return "no fit: a value is not above 0, and residuals are logarithmic"
    if len(y) and (y <= 0).all():
        return "no fit: no value is above 0"
    needed = len(form.parameters) + 1
    if len(np.unique(x, axis=0)) >= needed:
        return ""
    runs = plural(num_given, "run")
    if recipe.frontier != "none":
        runs = f"{len(y)} of {runs} make the frontier"
    return f"no fit: {runs}, {needed} of distinct x are needed"


def _uncertainty(
    x: Floats, y: Floats, recipe: Recipe, problems: Problems[Form], best: Optimum
) -> Uncertainty | None:
    """Return where intervals come from."""
    if not recipe.num_resamples:
        return delta_of(problems, best.held)
    found = resampled(x, y, recipe, problems, best)
    return found if len(found.draws) else None


def resampled(
    x: Floats, y: Floats, recipe: Recipe, whole: Problems[Form], best: Optimum,
    shares: Floats | None = None,
) -> Resampled:  # fmt: skip
    """Return the fits of resamples of the runs, x (n, q), but for those of too few points.

    `shares`: how likely a run that is drawn stays in the resample, (n,).
    """
    problems = resamples(x, y, recipe, shares)
    num_params = len(recipe.shape.parameters)
    places = np.flatnonzero((problems.weights > 0).sum(axis=1) >= num_params)
    num_runs = len(y) if shares is None else round(float(shares.sum()))
    return Resampled(
        form=recipe.shape, draws=optima(problems.taken(places), whole, best.held)[0], places=places,
        num_asked=recipe.num_resamples, num_runs=num_runs, degrees=num_runs - num_params,
        num_own=num_runs,
    )  # fmt: skip


def resamples(x: Floats, y: Floats, recipe: Recipe, shares: Floats | None = None) -> Problems[Form]:
    """Draw runs with replacement, and take each resample through the frontier step.

    Equal seeds draw equal places of as many runs.
    """
    random = np.random.default_rng(recipe.seed)
    drawn = random.integers(len(y), size=(recipe.num_resamples, len(y)))
    counts = np.zeros(drawn.shape)
    np.add.at(counts, (np.arange(len(drawn))[:, None], drawn), 1)
    if shares is not None:
        counts *= random.random(counts.shape) < shares
    form, cost = recipe.shape, recipe.cost
    if form.num_inputs > 1:
        every = np.broadcast_to(y, counts.shape)
        return Problems(form=form, x=x[None], y=every, weights=counts, cost=cost)
    with np.errstate(invalid="ignore"):  # of resamples of which no run is left
        kept = selected(recipe.frontier, x[:, 0], y, counts)
    used = np.broadcast_to(y[kept.rows], kept.weights.shape)
    return Problems(form=form, x=kept.x[..., None], y=used, weights=kept.weights, cost=cost)
