"""Frontiers, fits on them, and what is said against them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.answers.predict import places, predictions
from analysis.arrays import Floats
from analysis.fitting.fit import Fit, fit_points
from analysis.fitting.frontier import RULES, frontier, selected
from analysis.fitting.heldout import best_form, fit_below
from analysis.fitting.recipe import Recipe
from sweeps.errors import UsageError


def noisy(alpha: float, beta: float, noise: float = 0.0, count: int = 12) -> tuple[Floats, Floats]:
    x = np.geomspace(1e2, 1e5, count)
    random = np.random.default_rng(0)
    return x, beta * x**alpha * np.exp(noise * random.standard_normal(count))


def fitted(x: Floats, y: Floats, **recipe: object) -> Fit:
    return fit_points(x, y, Recipe(**{"frontier": "none", **recipe}))  # type: ignore[arg-type]


@pytest.mark.parametrize("num_resamples", [0, 300])
def test_the_interval_holds_the_truth_and_narrows_with_the_level(num_resamples: int) -> None:
    x, y = noisy(-0.3, 7.0, noise=0.05)
    law = fitted(x, y, num_resamples=num_resamples).law
    assert law is not None
    (low, high), (lower, higher) = (law.interval(level)["alpha"] for level in (0.5, 0.95))
    assert lower < low < high < higher
    assert lower < -0.3 < higher
    band = law.band(x, 0.95)
    assert band is not None
    assert (band[0] < law.at(x)).all()
    assert (law.at(x) < band[1]).all()


def test_resamples_of_few_runs_are_widened_and_too_few_are_said() -> None:
    random, missed = np.random.default_rng(0), 0
    for _ in range(60):
        y = 7.0 * np.geomspace(1, 1e4, 6) ** -0.3 * np.exp(0.05 * random.standard_normal(6))
        law = fitted(np.geomspace(1, 1e4, 6), y, num_resamples=200).law
        assert law is not None
        low, high = law.band(np.array([1e4]), 0.95)  # type: ignore[misc]
        missed += not low[0] < 7.0 * 1e4**-0.3 < high[0]
    assert missed <= 6  # of 60; plain percentiles miss 10
    x, y = noisy(-0.3, 7.0, noise=0.05, count=4)
    assert fitted(x, y, num_resamples=30).warnings == [
        "4 runs are too few to resample: intervals are too narrow; bootstrap=0 does without",
        "intervals of 0.95 need bootstrap=40 or more",
    ]


def test_the_same_seed_gives_the_same_interval() -> None:
    x, y = noisy(-0.3, 7.0, noise=0.05)
    laws = [fitted(x, y, num_resamples=50, seed=seed).law for seed in (3, 3, 4)]
    one, same, other = (law.interval(0.95) for law in laws if law)
    assert one == same != other


def test_resamples_go_through_the_frontier_step() -> None:
    x, y = noisy(-0.3, 7.0, noise=0.2, count=30)
    recipe = Recipe(frontier="pareto", num_resamples=200)
    found = fit_points(x, y, recipe)
    assert found.law is not None
    assert "200 resamples of the runs, through the frontier" in str(found.law.uncertainty.method)  # type: ignore[union-attr]
    only_used = fit_points(found.x, found.y, recipe)
    assert only_used.law is not None
    assert found.law.interval(0.95) != only_used.law.interval(0.95)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=30))
def test_the_pareto_frontier_is_what_nothing_cheaper_equals(points: list[tuple[int, int]]) -> None:
    x, y = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
    rows, used_x = frontier("pareto", x, y)
    expected = {
        (a, b) for a, b in points if not any(c <= a and d <= b and (c, d) != (a, b) for c, d in points)
    }
    assert set(zip(used_x, y[rows], strict=True)) == expected
    assert (np.diff(used_x) > 0).all()
    assert (np.diff(y[rows]) < 0).all()
    assert np.array_equal(x[rows], used_x)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_treats_many_resamples_like_each_alone(rule: str) -> None:
    random = np.random.default_rng(0)
    x = 10 ** random.uniform(4, 8, 40)
    y = x**-0.1 * np.exp(0.1 * random.standard_normal(40))
    counts = random.integers(0, 2, (20, 40)).astype(np.float64)
    together = selected(rule, x, y, counts)
    for number, drawn in enumerate(counts > 0):
        rows, used_x = frontier(rule, x[drawn], y[drawn])
        kept = together.weights[number] > 0
        many = (
            np.broadcast_to(part, together.weights.shape)[number]
            for part in (together.rows, together.x)
        )
        many_rows, many_x = (part[kept] for part in many)
        assert np.array_equal(many_rows, np.flatnonzero(drawn)[rows])
        assert many_x == pytest.approx(used_x, rel=1e-12)


def test_bins_that_double_hold_their_best_run_where_it_improves() -> None:
    x = 1500.0 * 2.0 ** np.array([0, 0.4, 1.2, 1.6, 2.5, 3.5, 4])
    y = np.array([0.9, 0.8, 0.85, 0.7, 0.75, 0.6, 0.5])
    rows, used_x = frontier("log2bins", x, y)
    assert rows.tolist() == [1, 3, 5]  # one edge every 4/3 doublings; the dearest run closes the last
    assert used_x.tolist() == x[rows].tolist()


def test_compute_below_the_first_bin_that_doubles_makes_no_frontier() -> None:
    found = fit_points(np.geomspace(1, 100, 9), np.linspace(1, 0.5, 9), Recipe(frontier="log2bins"))
    assert found.warnings == ["no fit: 0 of 9 runs make the frontier, 3 of distinct x are needed"]


@pytest.mark.parametrize(
    ("y", "warning"),
    [
        (np.full(8, 0.9) + 1e-3 * np.sin(np.arange(8)), "flat: over all runs"),
        (np.linspace(0.5, 0.9, 8), "over all runs it rises: more compute makes it worse"),
        (np.array([0.8, 0.79, 0.78, 0.8, 0.79, 0.78, 0.77, 0.001]), r"no good fit: R² is 0\.\d\d"),
        (np.array([1, 0.5, 0, 0, 0, 0, 0, 0]), "no fit: a value is not above 0"),
        (
            np.array([0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
            "no fit: 1 of 8 runs make the frontier, 3",
        ),
    ],
)
def test_what_is_no_law_is_said(y: Floats, warning: str) -> None:
    found = fit_points(np.geomspace(1, 100, 8), y, Recipe())
    assert any(re.match(warning, text) for text in found.warnings), found.warnings


def test_luck_among_many_runs_is_no_trend() -> None:
    random = np.random.default_rng(1)
    y = 0.9 + 0.01 * random.standard_normal(40)
    assert fit_points(np.geomspace(1, 1e4, 40), y, Recipe()).warnings[0].startswith("flat")


def test_points_above_a_threshold_are_scored_and_not_fitted() -> None:
    x, y = noisy(-0.3, 7.0)
    changed = np.where(x > 1e4, 2 * y, y)
    fit, heldout = fit_below(x[:, None], changed, Recipe(frontier="none"), 1e4)
    assert fit.law is not None
    assert fit.law.params["alpha"] == pytest.approx(-0.3)
    assert (heldout.num_fitted, len(heldout.y)) == (8, 4)
    assert heldout.rmse == pytest.approx(np.sqrt(np.mean(y[x > 1e4] ** 2)))


def test_the_form_with_the_least_heldout_error_is_chosen() -> None:
    x = np.geomspace(1, 1e4, 25)[:, None]
    points = (x, (0.8 * x**-0.3 + 0.15)[:, 0])
    choice = best_form({100.0: points, 1000.0: points}, Recipe(frontier="none"))
    assert choice is not None
    assert choice.form in ("power_floor", "saturating")
    assert choice.errors["power"] > 100 * (choice.errors["power_floor"] or 0.0)  # type: ignore[operator]


def test_a_prediction_says_how_far_it_reaches() -> None:
    x, y = noisy(-0.3, 7.0, noise=0.05)
    fit = fitted(x, y)
    near, far = predictions(fit, places((1e3, 1e6), fit.recipe.shape))
    assert [near.extrapolation, far.extrapolation] == pytest.approx([1, 10])
    assert near.low < near.value < near.high  # type: ignore[operator]
    assert far.high / far.low > near.high / near.low  # type: ignore[operator]


def test_a_law_of_errors_is_not_said_to_reach_below_0() -> None:
    x, y = noisy(-0.3, 7.0, noise=0.2, count=6)
    (far,) = predictions(fitted(x, y, form="power_floor"), np.array([[1e9]]))
    assert far.low == 0 < far.value < far.high  # type: ignore[operator]


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"frontier": "paretto"}, "frontier=paretto is unknown. Did you mean pareto"),
        ({"form": "powr"}, "form=powr is unknown. Did you mean power"),
        ({"form": "chinchilla", "frontier": "pareto"}, "say frontier=none"),
        ({"level": 95}, "level=95 is no share"),
    ],
)
def test_what_cannot_be_fitted_is_named(recipe: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit_points(*noisy(-0.3, 7.0), Recipe(**recipe))  # type: ignore[arg-type]
