"""Intervals hold the truth as often as they say."""

import numpy as np
import pytest

from analysis.fitting.recipe import Recipe, Residuals
from tests.analysis.coverage import coverage
from tests.analysis.points import TRUTHS, Truth

NUM_STUDIES = 200
LEAST, MOST = 0.90, 0.99
"""200 studies know a share of 95 % to within four points."""


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.form)
@pytest.mark.parametrize("residuals", Residuals, ids=lambda residuals: residuals.value)
def test_intervals_and_bands_cover_the_truth(truth: Truth, residuals: Residuals) -> None:
    recipe = Recipe(form=truth.form, frontier="none", residuals=residuals)
    found = coverage(recipe, np.array(truth.held), truth.x, truth.measured(0.05, count=NUM_STUDIES))
    assert all(LEAST <= share <= MOST for share in found.params.values()), found
    assert LEAST <= found.band.mean() <= MOST
    assert found.band.min() >= LEAST  # also where the noise is largest
