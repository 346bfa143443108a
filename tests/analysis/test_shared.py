"""Groups that share exponents are fitted together."""

import numpy as np
import pytest

from analysis.arrays import Floats
from analysis.fitting.fit import Law, fit_points
from analysis.fitting.heldout import fit_jointly_below
from analysis.fitting.recipe import Recipe
from analysis.fitting.shared import fit_jointly
from sweeps.errors import UsageError

X = np.geomspace(1e2, 1e6, 15)[:, None]


def group(scale: float, floor: float = 0.0, seed: int = 0, noise: float = 0.02) -> Floats:
    random = np.random.default_rng(seed)
    return (scale * X[:, 0] ** -0.3 + floor) * np.exp(noise * random.standard_normal(len(X)))


def laws(groups: list[Floats], recipe: Recipe, shared: tuple[str, ...]) -> list[Law]:
    found = fit_jointly([(X, y) for y in groups], recipe, shared)
    return [fit.law for fit in found if fit.law is not None]


def test_what_is_shared_is_one_number_and_the_rest_is_found() -> None:
    recipe = Recipe(form="power_floor", frontier="none")
    one, other = laws([group(3, 0.1, noise=0), group(5, 0.3, noise=0)], recipe, ("c",))
    assert one.params == pytest.approx({"a": 3, "c": -0.3, "d": 0.1}, rel=1e-5)
    assert other.params == pytest.approx({"a": 5, "c": -0.3, "d": 0.3}, rel=1e-5)
    assert one.best.is_certified


@pytest.mark.parametrize("num_resamples", [0, 100])
def test_sharing_narrows_the_interval(num_resamples: int) -> None:
    recipe = Recipe(form="power_floor", frontier="none", num_resamples=num_resamples)
    groups = [group(3, 0.1, seed=seed) for seed in range(4)]
    together = laws(groups, recipe, ("c",))
    assert len({law.params["c"] for law in together}) == 1
    low, high = together[0].interval(0.95)["c"]
    assert low < -0.3 < high
    alone = [fit.law.interval(0.95)["c"] for y in groups if (fit := fit_points(X, y, recipe)).law]
    assert high - low < 0.7 * np.mean([most - least for least, most in alone])


def test_a_group_with_too_few_points_takes_no_part() -> None:
    y = group(3)
    found = fit_jointly([(X, y), (X, y), (X[:1], y[:1])], Recipe(frontier="none"), ("alpha",))
    assert [fit.law is None for fit in found] == [False, False, True]


def test_one_group_that_alone_has_a_fit_is_resampled_as_asked() -> None:
    recipe = Recipe(frontier="none", num_resamples=40)
    points = (X, group(3))
    found, other = fit_jointly([points, (X[:1], points[1][:1])], recipe, ("alpha",))
    assert found.law is not None
    assert found.law.interval(0.95) == fit_points(*points, recipe).law.interval(0.95)  # type: ignore[union-attr]
    assert found.recipe == other.recipe == recipe


def test_what_keeps_joint_intervals_from_being_right_is_said() -> None:
    y, recipe = group(3), Recipe(frontier="none", num_resamples=40)
    few = fit_jointly([(X, y), (X[:4], y[:4])], recipe, ("alpha",))
    narrow = ["4 runs are too few to resample: intervals are too narrow; bootstrap=0 does without"]
    assert [fit.warnings for fit in few] == [[], narrow]
    short = [(X, np.where(np.arange(len(X)) < 4, one, 9.0)) for one in (group(3), group(4))]
    lost = fit_jointly(short, Recipe(form="power_floor", num_resamples=40), ("c",))
    assert all("of 40 resamples had too few points for a fit" in " ".join(f.warnings) for f in lost)


def test_only_exponents_can_be_shared() -> None:
    from analysis.questions.question import Question

    with pytest.raises(UsageError, match="shared=beta is no exponent of form=power. Choose from: a"):
        Question(group="data", shared=("beta",))
    with pytest.raises(UsageError, match="shared= needs group="):
        Question(shared=("alpha",))


def test_groups_that_share_an_exponent_are_scored_above_a_threshold() -> None:
    far = X[:, 0] > 1e5
    groups = [(X, np.where(far, 2 * y, y)) for y in (group(3, noise=0), group(5, noise=0))]
    found = fit_jointly_below(groups, Recipe(frontier="none"), ("alpha",), 1e5)
    for (fit, heldout), (_, y) in zip(found, groups, strict=True):
        assert fit.law is not None
        assert fit.law.params["alpha"] == pytest.approx(-0.3)
        assert (heldout.num_fitted, len(heldout.y)) == (int((~far).sum()), int(far.sum()))
        assert heldout.rmse == pytest.approx(np.sqrt(np.mean((y[far] / 2) ** 2)))
