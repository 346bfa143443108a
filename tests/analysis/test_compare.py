"""Which group is better with scale, and how a compute is best split."""

import json
import shlex
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import compare, fit, optimal
from analysis.answers.alike import alike_shares
from analysis.answers.compare import Verdict, verdicts
from analysis.answers.laws import laws_of
from analysis.answers.optimal import NoOptimal, Optimal, best_splits
from analysis.fitting.fit import fit_points
from analysis.fitting.recipe import Recipe
from analysis.questions.flops import constant, flops_law
from analysis.questions.question import Question
from analysis.reports.reproduce import fit_command
from analysis.reports.text import contest_line
from sweeps.errors import UsageError
from tests.analysis.points import TRUTHS

COMPUTE = np.geomspace(1e3, 1e7, 16)


def table(*tasks: dict[str, tuple[float, float]], noise: float = 0.02) -> pd.DataFrame:
    """Tasks in which each group has its scale and exponent."""
    random = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {
                "gflops_total": COMPUTE,
                "error": scale
                * COMPUTE**exponent
                * np.exp(noise * random.standard_normal(len(COMPUTE))),
                "model": group,
                "downstream_dataset": f"task{number}",
            }
        )
        for number, groups in enumerate(tasks)
        for group, (scale, exponent) in groups.items()
    ]
    return pd.concat(frames, ignore_index=True)


def verdict(
    frame: pd.DataFrame, shared: tuple[str, ...] = (), frontier: str = "none", group: str = "model"
) -> Verdict:
    recipe = Recipe(frontier=frontier, num_resamples=200)
    answers = laws_of(frame, Question(y="error", group=group, shared=shared, recipe=recipe))
    (found,) = verdicts([("", answer) for answer in answers], 0.95)
    return found


STEEP_WINS = {"steep": (4.0, -0.3), "shallow": (1.0, -0.15)}
"""They cross at 4^(1/0.15), about 1e4; at 1e7 the shallow one is a factor of 2.8 behind."""
SAME = {"one": (4.0, -0.3), "same": (4.0, -0.3)}


def test_curves_that_cross_are_won_by_the_one_that_is_better_with_scale() -> None:
    found = verdict(table(STEEP_WINS))
    (contest,) = found.contests
    assert found.winner == contest.winner == "steep"
    assert contest.crossing is not None
    assert contest.ratio is not None
    crossing, ratio = contest.crossing.at, contest.ratio
    assert crossing.low < 4 ** (1 / 0.15) < crossing.high  # type: ignore[operator]
    assert ratio.low < (1e7 / 4 ** (1 / 0.15)) < ratio.high  # type: ignore[operator]
    assert contest.differences[0].value < 0 < contest.differences[-1].value  # type: ignore[operator]
    assert all(one.low <= one.value <= one.high for one in contest.differences)  # type: ignore[operator]


def test_equal_groups_are_not_decided() -> None:
    found = verdict(table(*[SAME] * 8))
    assert found.winner is None
    assert found.sentence().startswith(
        "one or same: not decided. At the largest compute of both one has "
    )
    assert {one.why_not for one in found.contests if one.winner is None} == {"the difference may be 0"}
    crossings = [one.crossing for one in found.contests]
    assert None in crossings
    assert all(one.share > 0.5 for one in crossings if one is not None)


def test_tasks_that_agree_decide_and_tasks_that_disagree_do_not() -> None:
    swapped = {"steep": STEEP_WINS["shallow"], "shallow": STEEP_WINS["steep"]}
    few = verdict(table(*[STEEP_WINS] * 2))
    assert few.winner == "steep"
    assert few.ratio.low < 2.8 < few.ratio.high  # type: ignore[operator, union-attr]
    assert "in geometric mean over 2 comparisons" in few.sentence()
    split = verdict(table(*[STEEP_WINS] * 3, *[swapped] * 3))
    assert split.winner is None
    assert split.wins == {"shallow": 3, "steep": 3}


def test_evals_of_one_test_set_are_told_apart(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = {"steep": STEEP_WINS["shallow"], "shallow": STEEP_WINS["steep"]}
    frames = [table(STEEP_WINS).assign(eval="a"), table(swapped).assign(eval="b")]
    frame = pd.concat(frames, ignore_index=True)
    found = verdict(frame)
    assert [(c.measure.title, c.winner) for c in found.contests] == [
        ("error of a on task0", "steep"), ("error of b on task0", "shallow"),
    ]  # fmt: skip
    frame.to_csv(tmp_path / "t.csv", index=False)
    for name, contest in zip("ab", found.contests, strict=True):
        command = fit_command(contest.one, [f"table={tmp_path}/t.csv"])
        assert fit([*shlex.split(command)[4:], "format=json"]) == 0
        again = json.loads(capsys.readouterr().out)
        assert contest.one.fit.law is not None
        assert (again["eval"], again["params"]) == (name, pytest.approx(contest.one.fit.law.params))


def test_evals_can_be_what_is_compared() -> None:
    frame = table(STEEP_WINS).assign(eval=lambda t: "zero_shot_" + t["model"])
    (contest,) = verdict(frame, group="eval").contests
    assert (contest.measure.title, contest.winner) == ("error on task0", "zero_shot_steep")


def test_tasks_that_share_their_runs_share_their_errors() -> None:
    one = table(SAME)
    again = pd.concat([one, one.assign(downstream_dataset="again")])
    shuffled = pd.concat([one, one[::-1].assign(downstream_dataset="shuffled")])
    alone, copied, other = (verdict(frame.reset_index()).ratio for frame in (one, again, shuffled))
    assert alone == copied
    assert np.log(other.high / other.low) == pytest.approx(np.log(alone.high / alone.low), rel=0.2)  # type: ignore[operator, union-attr]


def unlike(random: np.random.Generator, sizes: tuple[int, int] = (600, 60)) -> pd.DataFrame:
    """Many runs and few short of one law."""
    frame = pd.DataFrame({"model": np.repeat(["many", "few"], sizes)})
    frame["gflops_total"] = 10 ** random.uniform(8, 12, len(frame))
    short = np.exp(random.exponential(0.1, len(frame)))
    return frame.assign(error=5 * frame["gflops_total"] ** -0.2 * short)


def test_the_larger_of_two_groups_of_one_law_does_not_win_by_its_size() -> None:
    random = np.random.default_rng(0)
    found = [verdict(unlike(random), frontier="pareto") for _ in range(10)]
    assert sum(one.winner is not None for one in found) <= 2  # 8 if none were left out
    (contest,) = found[0].contests
    assert (contest.num_runs, contest.num_alike) == ((60, 600), 60)
    assert contest_line(contest).endswith("; 60 and 600 runs, resampled as 60 each")


def test_laws_with_shared_exponents_are_not_made_alike_and_decide_nothing() -> None:
    (contest,) = verdict(unlike(np.random.default_rng(0)), ("alpha",), "pareto").contests
    assert contest.winner is None
    assert "laws with shared exponents keep all" in contest.why_not


def test_groups_are_made_alike_in_each_stretch_of_compute_that_both_have() -> None:
    low, high = np.geomspace(1, 1e4, 90), np.geomspace(1e2, 1e5, 30)
    shares = alike_shares(low, high)
    assert not shares[0][low < 0.99e2].any()
    assert not shares[1][high > 1.01e4].any()
    assert shares[0].sum() == pytest.approx(shares[1].sum())
    assert all((share == 1).all() for share in alike_shares(low, low))
    fewer, all_few = alike_shares(low, low[::3])
    assert fewer == pytest.approx(np.full(90, 1 / 3))
    assert (all_few == 1).all()


def test_a_group_without_a_law_is_named_and_decides_nothing() -> None:
    frame = table(STEEP_WINS)
    found = verdict(frame[(frame["model"] == "steep") | (frame["gflops_total"] < 3e3)])
    assert found.winner is None
    assert found.contests[0].why_not.startswith("shallow: no fit")


def test_groups_of_too_few_runs_to_resample_decide_nothing() -> None:
    frame = table(STEEP_WINS)
    (contest,) = verdict(frame.iloc[::5]).contests
    assert contest.why_not == "shallow and steep have too few runs to resample"
    assert contest.differences[-1].low > 0  # type: ignore[operator]
    assert contest.winner is None
    assert f"not decided, as {contest.why_not}" in contest_line(contest)


def test_groups_that_share_an_exponent_are_resampled_together() -> None:
    frame = table({"one": (4.0, -0.3), "other": (4.4, -0.3)})
    (alone,), (joint,) = (verdict(frame, shared).contests for shared in ((), ("alpha",)))
    assert alone.ratio is not None
    assert joint.ratio is not None
    widths = [np.log(ratio.high / ratio.low) for ratio in (alone.ratio, joint.ratio)]  # type: ignore[operator]
    assert widths[1] < 0.6 * widths[0]  # 0.68 with draws of different resamples
    assert joint.ratio.low < 1.1 ** (1 / 0.3) < joint.ratio.high


def test_one_group_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="the only group is 'steep'"):
        verdict(table({"steep": (4.0, -0.3)}))


def test_the_command_compares_within_each_schedule(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.concat(
        [table(STEEP_WINS).assign(lr_scheduler=name) for name in ("cosine", "const", None)],
        ignore_index=True,
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    words = [f"table={tmp_path}/t.csv", "y=error", "group=model", "by=lr_scheduler", "bootstrap=50"]
    assert compare([*words, "format=json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (found,) = data["verdicts"]
    assert [(c["context"], c["verdict"]) for c in found["comparisons"]] == [
        ("const", "steep"), ("cosine", "steep"),
    ]  # fmt: skip
    assert len(data["fits"]) == 4
    assert data["warnings"] == ["left out 32 of 96 rows: no lr_scheduler"]
    assert compare(words) == 0
    shown = capsys.readouterr().out
    assert "error on task0, cosine: steep is better; at 1e+07 GFLOPs shallow less steep is 0.0" in shown
    assert "shallow takes" in shown
    assert shown.endswith("left out 32 of 96 rows: no lr_scheduler\n")


@pytest.mark.parametrize("growth", [0.0, 0.25, -0.3])
def test_the_best_split_is_where_the_law_is_least(growth: float) -> None:
    (truth,) = (truth for truth in TRUTHS if truth.form == "chinchilla")
    recipe = Recipe(form="chinchilla", frontier="none", num_resamples=100)
    fit = fit_points(truth.x, truth.measured(0.005)[0], recipe)
    flops = replace(constant(6.0), growth=growth)
    law, found = fit.law, best_splits(fit, np.array([1e18, 1e20]), flops)
    assert law is not None
    assert isinstance(found, Optimal)
    for split in found.splits:
        log_n = np.linspace(5, 35, 60_001)
        curve = law.at(np.exp(np.stack([log_n, np.log(split.compute / 6) - (1 + growth) * log_n], 1)))
        assert np.exp(log_n[curve.argmin()]) == pytest.approx(split.num_params.value, rel=1e-3)
        assert split.loss.value == pytest.approx(curve.min())
        assert split.samples_seen.low < split.samples_seen.value < split.samples_seen.high  # type: ignore[operator]
    true_share = 0.28 / (0.28 * (1 + growth) + 0.34)
    assert found.size_exponent.low < true_share < found.size_exponent.high  # type: ignore[operator]
    first, last = found.splits
    grown = np.log(last.samples_seen.value / first.samples_seen.value) / np.log(100)  # type: ignore[operator]
    assert grown == pytest.approx(found.data_exponent.value)


def test_what_models_cost_is_a_power_of_their_size_from_which_some_may_be_far() -> None:
    sizes, samples = np.array([1e6, 1e8, 1e8, 1e10]), np.array([1e7, 1e7, 1e9, 1e8])
    found = flops_law(sizes, samples, 2 * sizes**1.2 * samples)
    assert (found.scale, found.growth, found.most_off) == pytest.approx((2, 0.2, 1))
    assert found.sentence() == "C = 2·N^1.2·D, one parameter costing 31.7 to 200 a sample"
    assert found.warnings() == []
    odd = flops_law(sizes, samples, 6 * sizes * samples * [1, 4, 4, 1])
    assert odd.growth == pytest.approx(0)
    assert odd.warnings()[0].startswith("a model costs 2.52 times more or less than C = k·N^q·D says")


def test_the_command_splits_a_compute(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (truth,) = (truth for truth in TRUTHS if truth.form == "chinchilla")
    frame = pd.DataFrame(truth.x, columns=["num_params", "samples_seen"])
    frame["gflops_total"] = 6e-9 * frame["num_params"] ** 1.1 * frame["samples_seen"]
    frame.assign(loss=truth.measured(0.005)[0]).to_parquet(tmp_path / "t.parquet")
    words = [f"table={tmp_path}/t.parquet", "y=loss", "bootstrap=50", "at=1e10"]
    assert optimal([*words, "format=json"]) == 0
    data = json.loads(capsys.readouterr().out)
    (split,) = data["optimal"]["splits"]
    flops, size = data["optimal"]["flops"], split["num_params"]["value"]
    assert (flops["scale"], flops["growth"]) == pytest.approx((6e-9, 0.1))
    assert size**1.1 * split["samples_seen"]["value"] == pytest.approx(1e10 / 6e-9)
    assert optimal(words) == 0
    assert "N_opt ∝ C^0.4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sizes", "loss", "why_not"),
    [
        (
            [1e6, 1e8],
            lambda n, d: 400 / n**0.3 + 400 / d**0.3,
            "2 model sizes do not show how the loss",
        ),
        (
            np.geomspace(1e6, 1e9, 5),
            lambda _, d: 1 + 400 / d**0.3,
            "has no least loss at a given compute",
        ),
    ],
)
def test_runs_that_cannot_tell_a_best_split_are_refused(sizes: Any, loss: Any, why_not: str) -> None:
    x = np.array([(n, d) for n in sizes for d in np.geomspace(1e7, 1e10, 5)])
    recipe = Recipe(form="chinchilla", frontier="none", num_resamples=50)
    y = loss(*x.T) * np.exp(0.01 * np.random.default_rng(0).standard_normal(len(x)))
    found = best_splits(fit_points(x, y, recipe), np.array([1e18]), constant(6.0))
    assert isinstance(found, NoOptimal)
    assert why_not in found.why_not
