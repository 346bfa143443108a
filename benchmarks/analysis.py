"""Fits of scaling laws: how long they take on one thread, and how often their intervals are right.

`python -m benchmarks.analysis` prints one JSON object. Times are of the processor. Beside ours stand
`curve_fit` from the comparison study's grid of starts, and one-start BFGS; that ours ends at no higher
cost is a bar like the others. It takes ten minutes, six of them `curve_fit`'s: `--starts 320` takes a
tenth of its starts.
"""

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from analysis.answers.compare import Verdict, verdicts
from analysis.answers.laws import laws_of
from analysis.arrays import Floats
from analysis.fitting.fit import Law, fit_points, problem_of
from analysis.fitting.frontier import RULES
from analysis.fitting.recipe import Recipe, Residuals
from analysis.questions.question import Question
from analysis.solve.optimum import optima, optimum
from analysis.solve.problem import Problems
from benchmarks.bars import Bar
from benchmarks.rivals import bfgs_chinchilla, curve_fit_saturating
from tests.analysis.coverage import coverage
from tests.analysis.points import TRUTHS, Truth

T = TypeVar("T")

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
NOISE = 0.05
NUM_RESAMPLES = 1000
NUM_MODELS = 240
"""As many as Hoffmann et al. (2022) fitted to."""
UNLIKE = (
    ("pareto", (60, 60)), ("pareto", (300, 60)), ("pareto", (600, 60)), ("bins5", (200, 40)),
)  # fmt: skip
"""Rules, and sizes of two groups of one law."""
BY_FORM = {truth.form: truth for truth in TRUTHS}


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=3200, help="of curve_fit")
    parser.add_argument("--studies", type=int, default=10_000, help="simulated, for each form")
    parser.add_argument("--tasks", type=int, default=38, help="on which two groups are compared")
    arguments = parser.parse_args()
    if not ONE_THREAD.items() <= os.environ.items():
        os.execve(
            sys.executable,
            [sys.executable, "-m", "benchmarks.analysis", *sys.argv[1:]],
            os.environ | ONE_THREAD,
        )
    warnings.simplefilter("ignore")  # of curve_fit, about covariances
    parts = [
        saturating(arguments.starts),
        chinchilla(),
        compared(arguments.tasks),
        favoured(arguments.studies // 100),
        covered(arguments.studies),
    ]
    found = {name: value for values, _ in parts for name, value in values.items()}
    bars = [bar.shown() for _, some in parts for bar in some]
    few = arguments.studies // 10
    print(
        json.dumps(
            {**found, "frontiers": frontiers(few), "floor": at_floor(few), "bars": bars}, indent=1
        )
    )


def timed(action: Callable[[], T], repeat: int = 1) -> tuple[T, float]:
    """Return what an action returns, and the least seconds of processor time it took."""
    took = []
    for _ in range(repeat):
        began = time.process_time()
        result = action()
        took.append(time.process_time() - began)
    return result, min(took)


def saturating(num_starts: int) -> tuple[dict[str, Any], list[Bar]]:
    """Fit 25 points once and in resamples, and by `curve_fit`."""
    truth = BY_FORM["saturating"]
    y = truth.measured(NOISE)[0]
    recipe = Recipe(form="saturating", frontier="none")
    problem = problem_of(recipe.shape, truth.x, y, recipe.cost)
    best, fit_s = timed(lambda: optimum(problem), 5)
    resampled = replace(recipe, num_resamples=NUM_RESAMPLES)
    _, both_s = timed(lambda: fit_points(truth.x, y, resampled), 3)
    (other, num_best), curve_fit_s = timed(lambda: curve_fit_saturating(truth.x[:, 0], y, num_starts))
    figures = {
        "fit_ms": 1e3 * fit_s,
        "starts_agreeing": f"{best.num_agreeing} of {best.num_starts}",
        "bootstrap_s": both_s - fit_s,
        "curve_fit_s": curve_fit_s,
        "curve_fit_starts_at_its_best": f"{num_best} of {num_starts}",
    }
    bars = [
        Bar(name="saturating_fit_ms", value=1e3 * fit_s, limit=10),
        Bar(name="saturating_1000_bootstraps_s", value=both_s - fit_s, limit=0.2),
        Bar(name="saturating_sse_over_curve_fit", value=2 * best.cost / other - 1, limit=1e-9),
    ]
    return {"saturating": figures}, bars


def chinchilla() -> tuple[dict[str, Any], list[Bar]]:
    """Bootstrap a fit to 240 models, and each resample by one-start BFGS from the best fit."""
    random = np.random.default_rng(0)
    x = 10 ** random.uniform((6, 7), (10, 11), (NUM_MODELS, 2))
    truth = Truth(form="chinchilla", held=BY_FORM["chinchilla"].held, x=x)
    y = truth.measured(NOISE)[0]
    recipe = Recipe(form="chinchilla", frontier="none", residuals=Residuals.log)
    whole = problem_of(recipe.shape, x, y, recipe.cost)
    best, fit_s = timed(lambda: optimum(whole), 3)
    weights = random.multinomial(NUM_MODELS, np.full(NUM_MODELS, 1 / NUM_MODELS), NUM_RESAMPLES).astype(
        float
    )
    every = Problems(
        form=whole.form,
        x=whole.x,
        y=np.broadcast_to(y, weights.shape),
        weights=weights,
        cost=whole.cost,
    )
    (_, costs), ours_s = timed(lambda: optima(every, whole, best.held), 3)
    others, bfgs_s = timed(
        lambda: [bfgs_chinchilla(x, y, one, best.held, recipe.delta) for one in weights]
    )
    worst = float(np.max(costs / np.array(others) - 1))
    figures = {
        "fit_ms": 1e3 * fit_s,
        "bootstrap_s": ours_s,
        "bfgs_s": bfgs_s,
        "times_faster": bfgs_s / ours_s,
        "worst_cost_over_bfgs": worst,
        "bfgs_worse_in": int((np.array(others) > costs * (1 + 1e-9)).sum()),
    }
    bars = [
        Bar(name="chinchilla_time_over_bfgs", value=ours_s / bfgs_s, limit=1 / 1.5),
        Bar(name="chinchilla_worst_cost_over_bfgs", value=worst, limit=1e-9),
    ]
    return {"chinchilla": figures}, bars


def compared(num_tasks: int) -> tuple[dict[str, Any], list[Bar]]:
    """Compare two groups of 60 runs each on many test sets, through the frontier."""
    frame = pd.concat([_task(task, group) for task in range(num_tasks) for group in ("one", "other")])
    recipe = Recipe(form="saturating", frontier="pareto", num_resamples=NUM_RESAMPLES)
    question = Question(y="error", group="model", recipe=recipe)

    def compare() -> Verdict:
        answers = laws_of(frame.reset_index(drop=True), question)
        return verdicts([("", answer) for answer in answers], recipe.level)[0]

    verdict, compare_s = timed(compare)
    figures = {"compare_s": compare_s, "verdict": verdict.sentence()}
    return {"compare": figures}, [Bar(name="compare_38_tasks_s", value=compare_s, limit=30)]


def _task(task: int, group: str) -> pd.DataFrame:
    """Return a group's runs, 10 % short of a saturating law on average; those of `other` 5 % worse."""
    x: Floats = 10 ** np.random.default_rng(group == "other").uniform(8, 12, 60)
    law = (25_000.0 * (x + 1e9) ** -0.5 + 0.2) * (1.05 if group == "other" else 1.0)
    short = np.random.default_rng((task, group == "other")).exponential(0.1, len(x))
    rows = {"gflops_total": x, "model": group, "downstream_dataset": f"task{task}"}
    return pd.DataFrame(rows).assign(error=law * np.exp(short))


def favoured(num_studies: int) -> tuple[dict[str, Any], list[Bar]]:
    """Return in how many studies of one law a group is named as better, in per cent, by sizes."""
    found = {
        f"{rule}, {sizes[0]} and {sizes[1]} runs": _favoured(rule, sizes, num_studies)
        for rule, sizes in UNLIKE
    }
    return {"one_law": found}, [Bar(name="one_law_worst_share", value=max(found.values()), limit=7)]


def _favoured(rule: str, sizes: tuple[int, int], num_studies: int) -> float:
    random = np.random.default_rng(3)
    recipe = Recipe(frontier=rule, num_resamples=200)
    question = Question(y="error", group="model", recipe=recipe)
    named = 0
    for _ in range(num_studies):
        x, y = _short(random, sum(sizes))
        frame = pd.DataFrame(
            {"gflops_total": x, "error": y, "model": np.repeat(["one", "other"], sizes)}
        )
        (verdict,) = verdicts([("", answer) for answer in laws_of(frame, question)], recipe.level)
        named += verdict.winner is not None
    return 100 * named / num_studies


def _short(random: np.random.Generator, num_runs: int) -> tuple[Floats, Floats]:
    """Return runs worse than β·C^α by an exponential share of 10 % on average."""
    x: Floats = 10 ** random.uniform(8, 12, num_runs)
    return x, 5 * x**-0.2 * np.exp(random.exponential(0.1, num_runs))


def covered(num_studies: int) -> tuple[dict[str, Any], list[Bar]]:
    """Return how often 95 % intervals hold the truth, in per cent, by form and residuals."""
    found: dict[str, Any] = {}
    bars = []
    for truth in TRUTHS:
        for residuals in Residuals:
            recipe = Recipe(form=truth.form, frontier="none", residuals=residuals)
            studies = truth.measured(NOISE, count=num_studies, seed=1)
            one = coverage(recipe, np.array(truth.held), truth.x, studies)
            shares = {letter: 100 * share for letter, share in one.params.items()}
            shares["band"] = 100 * float(one.band.mean())
            found[f"{truth.form}, {residuals.value}"] = {
                **shares, "band_least": 100 * one.band.min(), "band_most": 100 * one.band.max(),
            }  # fmt: skip
            worst = max(abs(share - 95) for share in shares.values())
            name = f"{truth.form}_{residuals.value}_coverage_off_95"
            bars.append(Bar(name=name, value=worst, limit=2))
    return {"coverage": found}, bars


def frontiers(num_studies: int) -> dict[str, Any]:
    """Return how often intervals hold alpha where runs fall short of the law, by rule and method.

    60 runs a study, each worse than β·C^α by an exponential share of 10 % on average. `above`: by how
    much the fitted curve is above that law at the largest compute, on average, in per cent.
    """
    return {
        f"{rule}, {'bootstrap' if num_resamples else 'delta'}": _through(
            rule, num_resamples, num_studies
        )
        for rule in RULES
        for num_resamples in (0, 200)
    }


def _through(rule: str, num_resamples: int, num_studies: int) -> dict[str, float]:
    random = np.random.default_rng(2)
    recipe = Recipe(frontier=rule, num_resamples=num_resamples)
    laws = [law for _ in range(num_studies) if (law := _short_of_law(random, recipe))]
    found = [_holds(law, "alpha", -0.2) for law in laws]
    above = [law.at(np.array([1e12]))[0] / (5 * 1e12**-0.2) - 1 for law in laws]
    return {"alpha": 100 * sum(found) / num_studies, "above": 100 * float(np.mean(above))}


def _short_of_law(random: np.random.Generator, recipe: Recipe) -> Law | None:
    return fit_points(*_short(random, 60), recipe).law


def at_floor(num_studies: int) -> dict[str, Any]:
    """Return how often intervals hold c in those studies whose d is found at its bound, by method.

    The law is 20·C^-0.2 + 0.005, measured down to 0.08. `width`: of the interval, on average.
    """
    truth = BY_FORM["power_floor"]
    studies = replace(truth, held=(*truth.held[:2], 0.005)).measured(NOISE, count=num_studies, seed=1)
    recipe = Recipe(form="power_floor", frontier="none", residuals=Residuals.log)
    others = {
        "bootstrap": replace(recipe, num_resamples=200),
        "without d": replace(recipe, form="power"),
    }
    found: dict[str, Any] = {}
    for name, asked in {"delta": recipe, **others}.items():
        laws = [law for y in studies if (law := _at_floor(truth.x, y, recipe, asked))]
        (letter,) = asked.shape.exponents
        found[name] = {
            "studies": len(laws),
            "c": 100 * float(np.mean([_holds(law, letter, -0.2) for law in laws])),
            "width": float(np.mean([np.ptp(law.interval(0.95)[letter]) for law in laws])),
        }
    return found


def _at_floor(x: Floats, y: Floats, recipe: Recipe, asked: Recipe) -> Law | None:
    """Return the law of a study, as asked, if its floor is at 0."""
    law = fit_points(x, y, recipe).law
    return fit_points(x, y, asked).law if law and law.params["d"] == 0 else None


def _holds(law: Law, letter: str, truth: float) -> bool:
    low, high = law.interval(0.95)[letter]
    return low <= truth <= high


if __name__ == "__main__":
    main()
