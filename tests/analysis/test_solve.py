"""The solver: exact laws are found, nothing beats its optimum, and gradients are what they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import curve_fit, minimize

from analysis.arrays import Floats
from analysis.fitting.fit import fit_points, problem_of
from analysis.fitting.recipe import Loss, Recipe, Residuals
from analysis.fitting.trends import of_law
from analysis.forms import FORMS
from analysis.solve.optimum import Optimum, optima, optimum
from analysis.solve.problem import Cost, Problems
from tests.analysis.points import TRUTHS, Truth

by_form = pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.form)


@by_form
@pytest.mark.parametrize("residuals", Residuals, ids=lambda r: r.value)
def test_a_law_without_noise_is_found_from_all_sides(truth: Truth, residuals: Residuals) -> None:
    recipe = Recipe(form=truth.form, frontier="none", residuals=residuals, loss=Loss.squared)
    law = fit_points(truth.x, truth.measured(0)[0], recipe).law
    assert law is not None
    assert law.params == pytest.approx(truth.params, rel=1e-5)
    assert law.best.is_certified


@pytest.mark.parametrize(("agreeing", "is_certain"), [(2, False), (3, True)])
def test_half_of_the_descents_have_to_agree(agreeing: int, is_certain: bool) -> None:
    best = Optimum(held=np.array([0.0, -0.3]), cost=1.0, num_starts=6, num_agreeing=agreeing)
    found = of_law(FORMS["power"], {"alpha": -0.3, "beta": 1.0}, best, r2=1.0)
    said = "the optimum is not certain: 2 of 6 starts reach it"
    assert found == ([] if is_certain else [said])


@by_form
@pytest.mark.parametrize("residuals", Residuals, ids=lambda r: r.value)
def test_a_law_is_the_same_in_all_units(truth: Truth, residuals: Residuals) -> None:
    y, recipe = truth.measured(0.03)[0], Recipe(form=truth.form, frontier="none", residuals=residuals)
    law, large = (
        fit_points(truth.x, y * unit, replace(recipe, delta=1e-3 * (1 if recipe.is_log else unit))).law
        for unit in (1.0, 1e18)
    )
    assert law is not None
    assert large is not None
    assert large.at(truth.x) / 1e18 == pytest.approx(law.at(truth.x), rel=1e-5)


@by_form
def test_gradients_are_those_of_the_value(truth: Truth) -> None:
    form, held = FORMS[truth.form], np.array([truth.held])
    gradient = form.value(held, truth.x[None])[1][0]
    for number, at in enumerate(truth.held):
        step = 1e-6 * abs(at)
        moved = np.array([held[0], held[0]])
        moved[:, number] += (-step, step)
        low, high = form.value(moved, truth.x[None])[0]
        assert gradient[:, number] == pytest.approx((high - low) / (2 * step), rel=1e-5, abs=1e-12)


@by_form
@pytest.mark.parametrize("delta", [np.inf, 1e-3, 0.03])
def test_no_other_method_finds_less(truth: Truth, delta: float) -> None:
    problem = problem_of(
        FORMS[truth.form], truth.x, truth.measured(0.05)[0], Cost(is_log=True, delta=delta)
    )
    found = optimum(problem)
    scale = np.maximum(np.abs(np.array(truth.held)), 1e-3)

    def cost(scaled: Floats) -> float:
        return float(problem.state((scaled * scale)[None])[2][0])

    bounds = [(p.lower, p.upper) for p in problem.form.parameters]
    wanted = [(low / by, high / by) for (low, high), by in zip(bounds, scale, strict=True)]
    for start in (found.held, np.array(truth.held)):
        with np.errstate(all="ignore"):
            other = minimize(cost, start / scale, method="L-BFGS-B", bounds=wanted)
        assert found.cost <= other.fun * (1 + 1e-9)


def test_the_optimum_is_that_of_many_starts_of_curve_fit() -> None:
    (truth,) = (truth for truth in TRUTHS if truth.form == "power_floor")
    y = truth.measured(0.05)[0]
    law = fit_points(truth.x, y, Recipe(form="power_floor", frontier="none")).law
    assert law is not None

    def model(x: Floats, a: float, c: float, d: float) -> Floats:
        return a * x**c + d

    bounds = ([0, -2, 0], [1e4, 0, 1])
    for c in (-0.5, -0.2, -0.05):
        start = (float(y.max() / truth.x[0, 0] ** c), c, 0.05)
        params, _ = curve_fit(model, truth.x[:, 0], y, p0=start, bounds=bounds, x_scale="jac")
        assert law.sse <= ((model(truth.x[:, 0], *params) - y) ** 2).sum() * (1 + 1e-9)


@pytest.mark.parametrize("form", ["saturating", "chinchilla"])
def test_many_at_once_end_where_each_ends_alone(form: str) -> None:
    (truth,) = (truth for truth in TRUTHS if truth.form == form)
    y, cost = truth.measured(0.05, count=6), Recipe(form=form, frontier="none").cost
    whole = problem_of(FORMS[form], truth.x, truth.measured(0)[0], cost)
    together = Problems(form=whole.form, x=truth.x[None], y=y, weights=np.ones_like(y), cost=cost)
    _, costs = optima(together, whole, np.array(truth.held))
    alone = [optimum(problem_of(whole.form, truth.x, one, cost)).cost for one in y]
    assert costs == pytest.approx(alone, rel=1e-3 if form == "chinchilla" else 1e-7)


def test_a_floor_that_the_points_contradict_stands_at_its_bound() -> None:
    x = np.geomspace(1, 1e4, 12)
    found = fit_points(x, 2 - 0.15 * np.log(x), Recipe(form="power_floor", frontier="none"))
    assert found.law is not None
    assert found.law.params["d"] == 0
    assert found.warnings == [
        "d is at its bound 0",
        "intervals too wide, as the delta method's are beside a bound: see bootstrap=1000",
    ]
    low, high = found.law.interval(0.95)["d"]
    assert low == 0 < high
