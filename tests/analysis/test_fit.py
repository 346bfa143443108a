"""Frontiers and power laws."""

import csv
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.fit import fit_frontier, fit_json, fit_power
from analysis.frontier import Floats, frontier
from sweeps.errors import UsageError
from sweeps.folders import CHECKOUT

PUBLISHED = CHECKOUT.parent / "shared/data/openclip/zeroshot_results.csv"

STUDY_2023 = [
    ("imagenet1k", "acc1", -0.111388, 5.858059),
    ("imagenet_robustness", "acc1", -0.125541, 11.608666),
    ("mscoco_captions", "image_retrieval_recall@5", -0.079434, 2.749720),
    ("flickr30k", "image_retrieval_recall@5", -0.189157, 15.505964),
]
"""Coefficients of the 2023 study's OpenCLIP models (arXiv:2212.07143, recomputed from its table)."""


def law(alpha: float, beta: float, noise: float = 0.0, count: int = 12) -> tuple[Floats, Floats]:
    x = np.geomspace(1e2, 1e5, count)
    random = np.random.default_rng(0)
    return x, beta * x**alpha * np.exp(noise * random.standard_normal(count))


def test_a_power_law_is_found_exactly() -> None:
    found = fit_power(*law(-0.3, 7.0))
    assert found is not None
    assert [found.alpha, found.beta, found.r2] == pytest.approx([-0.3, 7.0, 1.0])
    assert found.sse == pytest.approx(0, abs=1e-20)


def test_the_interval_holds_the_truth_and_narrows_with_the_level() -> None:
    x, y = law(-0.3, 7.0, noise=0.05)
    wide, narrow = (fit_frontier(x, y, rule="none", level=level) for level in (0.95, 0.5))
    assert wide.interval["alpha"][0] < -0.3 < wide.interval["alpha"][1]
    assert wide.interval["alpha"][0] < narrow.interval["alpha"][0]
    assert wide.warnings == []


def test_the_same_seed_gives_the_same_interval() -> None:
    x, y = law(-0.3, 7.0, noise=0.05)
    assert fit_frontier(x, y, seed=3).interval == fit_frontier(x, y, seed=3).interval
    assert fit_frontier(x, y, seed=3).interval != fit_frontier(x, y, seed=4).interval


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=30))
def test_the_pareto_frontier_is_what_nothing_cheaper_equals(points: list[tuple[int, int]]) -> None:
    x, y = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
    used_x, used_y, rows = frontier("pareto", x, y)
    expected = {
        (a, b) for a, b in points if not any(c <= a and d <= b and (c, d) != (a, b) for c, d in points)
    }
    assert set(zip(used_x, used_y, strict=True)) == expected
    assert (np.diff(used_x) > 0).all()
    assert (np.diff(used_y) < 0).all()
    assert np.array_equal(x[rows], used_x)


@pytest.mark.parametrize(
    ("y", "warning"),
    [
        (np.full(8, 0.9) + 1e-3 * np.sin(np.arange(8)), "flat: over all runs"),
        (np.linspace(0.5, 0.9, 8), "over all runs it rises: more compute makes it worse"),
        (np.array([0.8, 0.79, 0.78, 0.8, 0.79, 0.78, 0.77, 0.001]), r"no power law: R² is 0\.\d\d"),
        (np.array([1, 0.5, 0, 0, 0, 0, 0, 0]), "no fit: a value is not above 0"),
        (
            np.array([0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
            "no fit: 1 of 8 runs make the frontier, 3",
        ),
    ],
)
def test_what_is_no_law_is_said(y: Floats, warning: str) -> None:
    found = fit_frontier(np.geomspace(1, 100, 8), y)
    assert any(re.match(warning, text) for text in found.warnings), found.warnings


def test_luck_among_many_runs_is_no_trend() -> None:
    random = np.random.default_rng(1)
    found = fit_frontier(np.geomspace(1, 1e4, 40), 0.9 + 0.01 * random.standard_normal(40))
    assert found.warnings[0].startswith("flat")


def test_a_fit_as_data_has_numbers_or_null() -> None:
    data = fit_json(fit_frontier(*law(-0.3, 7.0)))
    assert data["form"] == "power"
    assert data["params"] == {"alpha": pytest.approx(-0.3), "beta": pytest.approx(7.0)}
    assert data["num_points"] == 12
    empty = fit_json(fit_frontier(np.array([1.0]), np.array([1.0])))
    assert empty["params"] is None
    assert empty["rmse"] is None


def test_an_unknown_frontier_is_named_with_the_choices() -> None:
    with pytest.raises(UsageError, match="frontier=paretto is unknown. did you mean pareto"):
        frontier("paretto", np.ones(1), np.ones(1))


@pytest.mark.parametrize(("task", "column", "alpha", "beta"), STUDY_2023)
def test_the_rule_of_the_2023_study_gives_its_coefficients(
    task: str, column: str, alpha: float, beta: float
) -> None:
    points = {(1e9, 0.60), (1e10, 0.55), (1.5e10, 0.42), (1e12, 0.21), (2e12, 0.25)}
    if PUBLISHED.exists():
        points = _published(task, column)
        x, y = (np.array(c) for c in zip(*sorted(points), strict=True))
        found = fit_power(*frontier("bins5", x, y)[:2])
        assert found is not None
        assert [found.alpha, found.beta] == pytest.approx([alpha, beta], rel=1e-5)
    x, y = (np.array(c) for c in zip(*sorted(points), strict=True))
    used_x, used_y, rows = frontier("bins5", x, y)
    assert len(used_x) <= 5
    assert set(used_y) <= set(y)
    assert np.array_equal(y[rows], used_y)


def _published(task: str, column: str) -> set[tuple[float, float]]:
    rows = csv.DictReader(PUBLISHED.read_text().splitlines())
    own = [r for r in rows if r["downstream_dataset"] == task and r["upstream_dataset"] != "CLIP-WIT"]
    return {(float(r["gmacs_total"]), 1 - float(r[column])) for r in own}
