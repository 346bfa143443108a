"""Answers in words, with units."""

from collections.abc import Iterator, Sequence

import pandas as pd

from analysis.answers.compare import Verdict
from analysis.answers.contest import MATCH_REACH, Contest, Estimate
from analysis.answers.laws import Answer
from analysis.answers.measures import quantity_name
from analysis.answers.optimal import NoOptimal, Optimal
from analysis.answers.predict import Prediction
from analysis.fitting.heldout import Heldout
from analysis.questions.units import unit
from sweeps.text import plural

DESCRIBED = ("model", "arch", "pretrain_dataset", "upstream_dataset", "lr_scheduler")
"""Columns whose values a report lists."""


def paragraph(answer: Answer, predictions: Sequence[Prediction] = ()) -> str:
    """Return all that is known of an answer, in a few lines."""
    return "\n  ".join([answer.sentence(), *_lines(answer, predictions)])


def method(answer: Answer) -> str:
    """Return how the answers of a question were found, in sentences."""
    recipe = answer.fit.recipe
    where = "logarithms" if recipe.is_log else "the values"
    loss = "least squares" if recipe.cost.is_squared else f"Huber's loss, delta {recipe.cost.delta:g},"
    rule = "all runs" if recipe.frontier == "none" else f"the compute frontier ({recipe.frontier})"
    axis = " and ".join(
        f"{column}{unit(column) and f' in{unit(column)}'}" for column in answer.question.x
    )
    sure = (
        f"percentiles over {recipe.num_resamples} resamples of the runs, each through the frontier "
        "step, widened as t quantiles are"
        if recipe.num_resamples
        else "by the delta method, with the t quantile at n−p degrees of freedom"
    )
    return (
        f"{recipe.shape.formula}, by {loss} on {where} through {rule}, of {axis}. "
        f"Intervals of {recipe.level:.0%} are {sure}."
    )


def points_lines(answers: Sequence[Answer]) -> list[str]:
    """Return what the data are: how many runs of which models, and what they span."""
    points = pd.concat([answer.points for answer in answers])
    sizes = sorted({len(answer.points) for answer in answers})
    lines = [f"runs for each law: {' to '.join(map(str, dict.fromkeys((sizes[0], sizes[-1]))))}"]
    for column in DESCRIBED:
        if column in points.columns:
            known = sorted(map(str, points[column].dropna().unique()))
            lines.append(f"{column}: {', '.join(known)}")
    for column in dict.fromkeys((*answers[0].question.x, "samples_seen")):
        if column in points.columns:
            least, most = points[column].min(), points[column].max()
            lines.append(f"{column}: {least:,.7g} to {most:,.7g}{unit(column)}")
    return lines


def verdict_paragraph(verdict: Verdict) -> str:
    """Return a verdict with its evidence, a line for each comparison."""
    return "\n  ".join([verdict.sentence(), *map(contest_line, verdict.contests)])


def contest_line(contest: Contest) -> str:
    """Return one comparison in words."""
    where = contest.measure.title + (f", {contest.context}" if contest.context else "")
    if not contest.differences:
        return f"{where}: no comparison. {contest.why_not}"
    (column,) = contest.one.question.x
    x = unit(column)
    last = contest.differences[-1]
    lead = f"{contest.winner} is better" if contest.winner else f"not decided, as {contest.why_not}"
    parts = [
        f"{where}: {lead}; at {contest.x[-1]:.3g}{x} {contest.one.group} less {contest.other.group} is "
        f"{_estimate(last)}"
    ]
    if contest.ratio is not None:
        parts.append(f"{contest.behind} takes {_ratio(contest.ratio)} times the {column} to be as good")
    if contest.crossing is not None:
        share = f"in {contest.crossing.share:.0%} of resamples"
        parts.append(f"they cross at {_estimate(contest.crossing.at)}{x}, {share}")
    parts.append(_runs(contest))
    return "; ".join(parts)


def _runs(contest: Contest) -> str:
    runs = f"{contest.num_runs[0]} and {contest.num_runs[1]} runs"
    alike = contest.num_alike
    return runs if alike is None else f"{runs}, resampled as {alike} each"


def splits_paragraph(answer: Answer, optimal: Optimal | NoOptimal) -> str:
    """Return the best splits of computes, a line for each."""
    if isinstance(optimal, NoOptimal):
        return f"{answer.name}: {optimal.why_not}"
    size, data = (_estimate(one) for one in (optimal.size_exponent, optimal.data_exponent))
    growth = f"N_opt ∝ C^{size}, D_opt ∝ C^{data}, for {optimal.flops.sentence()}"
    lines = [
        f"at C = {one.compute:.4g}: N = {_estimate(one.num_params)}, "
        f"D = {_estimate(one.samples_seen)}, L = {_estimate(one.loss)}, {_reach(one.extrapolation)}"
        for one in optimal.splits
    ]
    return "\n  ".join([answer.sentence(), ". ".join([growth, *optimal.warnings]), *lines])


def _estimate(estimate: Estimate) -> str:
    return f"{_number(estimate.value)} [{_number(estimate.low)}, {_number(estimate.high)}]"


def _ratio(ratio: Estimate) -> str:
    """Return how many times as much it takes, which may be more than was looked for."""
    ends = (ratio.value, ratio.low, ratio.high)
    value, low, high = (_times(end) if end else f"over {MATCH_REACH:,.0f}" for end in ends)
    return f"{value} [{low}, {high}]"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def _lines(answer: Answer, predictions: Sequence[Prediction]) -> Iterator[str]:
    if answer.fit.law is None:
        return
    yield _setting(answer)
    yield from _params(answer)
    yield _uncertainty(answer)
    if answer.choice is not None:
        errors = (f"{name} {_number(error)}" for name, error in answer.choice.errors.items())
        yield f"form chosen by held-out RMSE: {', '.join(errors)}"
    for one in (*([answer.heldout] if answer.heldout else []), *answer.rolling):
        where = f"{one.above:.4g}{unit(answer.question.x[0]) if len(answer.question.x) == 1 else ''}"
        yield f"held out above {where}: {_score(one)}"
    for prediction in predictions:
        yield _prediction(answer, prediction)


def _score(heldout: Heldout) -> str:
    points = plural(len(heldout.y), "point")
    if heldout.rmse is not None:
        return f"{points}, RMSE {_number(heldout.rmse)}"
    return f"{points}, and no law of the {heldout.num_fitted} below" if len(heldout.y) else "no run"


def _setting(answer: Answer) -> str:
    recipe = answer.fit.recipe
    inputs = ", ".join(f"{column} in{unit(column) or ' its own unit'}" for column in answer.question.x)
    loss = "squared" if recipe.cost.is_squared else f"Huber's with delta {recipe.cost.delta:g}"
    residuals = "logarithmic" if recipe.is_log else "linear"
    best, shared = (", ".join(names) for names in (answer.question.best_per, answer.question.shared))
    best = f", best per {best}" if best else ""
    shared = f"; {shared} shared by all groups" if shared else ""
    return (
        f"{recipe.shape.formula}; of {inputs}; {residuals} residuals, {loss} loss; "
        f"frontier {recipe.frontier}{best}{shared}"
    )


def _params(answer: Answer) -> Iterator[str]:
    law, level = answer.fit.law, answer.fit.recipe.level
    assert law is not None
    intervals = law.interval(level)
    for letter, value in law.params.items():
        low, high = intervals.get(letter, (None, None))
        yield f"{letter:<5} {_number(value):>10}  [{_number(low)}, {_number(high)}]"


def _uncertainty(answer: Answer) -> str:
    law = answer.fit.law
    assert law is not None
    level, known = answer.fit.recipe.level, law.uncertainty
    intervals = f"{level:.0%} intervals by {known.method}" if known else "no intervals"
    fitted = f"RMSE {_number(law.rmse)}{unit(answer.measure.y)} in {quantity_name(answer.measure.y)}"
    return f"{intervals}; {fitted}"


def _prediction(answer: Answer, prediction: Prediction) -> str:
    each = zip(prediction.x, answer.question.x, strict=True)
    where = ", ".join(f"{x:.4g}{unit(column)}" for x, column in each)
    bounds = f"[{_number(prediction.low)}, {_number(prediction.high)}]"
    return (
        f"at {where}: {_number(prediction.value)} {bounds}, {_reach(prediction.extrapolation or 1.0)}"
    )


def _reach(extrapolation: float) -> str:
    return f"{extrapolation:.3g} times beyond the points" if extrapolation > 1 else "among the points"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
