"""Answers as plain data: the JSON of `fit` and `predict`. Numbers or null."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np

from analysis.answers.compare import Verdict
from analysis.answers.contest import Contest
from analysis.answers.laws import Answer
from analysis.answers.optimal import NoOptimal, Optimal
from analysis.answers.predict import Prediction
from analysis.fitting.heldout import Heldout
from analysis.fitting.recipe import Recipe


def answer_json(answer: Answer) -> dict[str, Any]:
    """Return an answer as plain data; `frontier` lists the rows that were used, as they were fitted."""
    fit = answer.fit
    return {
        "downstream_dataset": answer.measure.downstream_dataset,
        "eval": answer.measure.eval or None,
        "group": answer.group,
        "x": _one_or_list(answer.question.x),
        "y": answer.measure.y,
        **_law_json(answer),
        **_recipe_json(fit.recipe),
        "shared": list(answer.question.shared) or None,
        "best_per": list(answer.question.best_per) or None,
        "num_runs": len(answer.points),
        "num_points": len(fit.y),
        **_heldout_json(answer),
        "warnings": answer.warnings,
        "frontier": provenance(answer),
    }


def prediction_json(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as plain data."""
    return {
        "x": _one_or_list(prediction.x),
        "value": prediction.value,
        "low": prediction.low,
        "high": prediction.high,
        "extrapolation": prediction.extrapolation,
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict with its evidence as plain data."""
    return {
        "groups": [verdict.one, verdict.other],
        "verdict": verdict.winner or "not decided",
        "evidence": verdict.sentence(),
        "ratio": asdict(verdict.ratio) if verdict.ratio else None,
        "num_averaged": verdict.num_averaged,
        "wins": verdict.wins,
        "comparisons": [_contest_json(contest) for contest in verdict.contests],
    }


def splits_json(optimal: Optimal | NoOptimal) -> dict[str, Any]:
    """Return the best splits of computes as plain data."""
    return asdict(optimal)


def _contest_json(contest: Contest) -> dict[str, Any]:
    crossing, places = contest.crossing, zip(contest.x.tolist(), contest.differences, strict=True)
    return {
        "downstream_dataset": contest.measure.downstream_dataset,
        "eval": contest.measure.eval or None,
        "y": contest.measure.y,
        "context": contest.context or None,
        "verdict": contest.winner or "not decided",
        "why_not": contest.why_not or None,
        "num_runs": list(contest.num_runs),
        "num_alike": contest.num_alike,
        "difference": [{"x": x, **asdict(one)} for x, one in places],
        "crossing": {**asdict(crossing.at), "share": crossing.share} if crossing else None,
        "efficiency": _efficiency(contest),
    }


def _efficiency(contest: Contest) -> dict[str, Any] | None:
    if contest.ratio is None:
        return None
    return {"group": contest.behind, "x": contest.x[-1].item(), **asdict(contest.ratio)}


def provenance(answer: Answer) -> list[dict[str, Any]]:
    """Return the rows of the table that a law rests on: number, columns, and x and y as fitted."""
    rows = answer.points.iloc[answer.fit.rows]
    each: list[Any] = rows.astype(object).where(rows.notna(), None).to_dict(orient="records")
    numbers = zip(rows.index.tolist(), each, answer.fit.x.tolist(), answer.fit.y.tolist(), strict=True)
    return [{**columns, "row": row, "x": _one_or_list(x), "y": y} for row, columns, x, y in numbers]


def encoded(data: Any) -> str:
    """Return plain data as one line of JSON; what is no finite number is null."""
    return msgspec.json.encode(data, enc_hook=_plain).decode() + "\n"


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else str(value)


def _law_json(answer: Answer) -> dict[str, Any]:
    law, level = answer.fit.law, answer.fit.recipe.level
    if law is None:
        none = ("params", "interval", "method", "sse", "rmse", "r2", "starts")
        return dict.fromkeys(none)
    interval = {letter: list(bounds) for letter, bounds in law.interval(level).items()}
    return {
        "params": law.params,
        "interval": interval or None,
        "method": law.uncertainty.method if law.uncertainty else None,
        "sse": law.sse,
        "rmse": law.rmse,
        "r2": law.r2,
        "starts": {"tried": law.best.num_starts, "agreeing": law.best.num_agreeing},
    }


def _recipe_json(recipe: Recipe) -> dict[str, Any]:
    cost = recipe.cost
    return {
        "form": recipe.form,
        "formula": recipe.shape.formula,
        "level": recipe.level,
        "residuals": "log" if cost.is_log else "linear",
        "loss": "squared" if cost.is_squared else "huber",
        "delta": None if cost.is_squared else cost.delta,
        "frontier_rule": recipe.frontier,
    }


def _heldout_json(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if answer.heldout is not None:
        found["heldout"] = _score(answer.heldout)
    if answer.rolling:
        found["rolling"] = [{"num_fitted": one.num_fitted, **_score(one)} for one in answer.rolling]
    if answer.choice is not None:
        found["chosen_by_heldout_rmse"] = answer.choice.errors
    return found


def _score(heldout: Heldout) -> dict[str, Any]:
    return {"above": heldout.above, "num_points": len(heldout.y), "rmse": heldout.rmse}


def _one_or_list(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)
