"""Answers in words, with units."""

from collections.abc import Iterator, Sequence

from analysis.laws import Answer, quantity_name
from analysis.predict import Prediction

UNITS = {
    "gflops_total": "GFLOPs",
    "gflops_per_sample": "GFLOPs",
    "gmacs_total": "GMACs",
    "gmacs": "GMACs",
    "samples_seen": "samples",
    "total_samples_seen": "samples",
    "num_params": "parameters",
    "contrastive_loss": "nats",
}


def unit(column: str) -> str:
    """Return the unit of a column behind a space, or nothing where it is not known."""
    return f" {UNITS[column]}" if column in UNITS else ""


def paragraph(answer: Answer, predictions: Sequence[Prediction] = ()) -> str:
    """Return all that is known of an answer, in a few lines."""
    return "\n  ".join([answer.sentence(), *_lines(answer, predictions)])


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
        yield f"held out above {where}: {len(one.y)} points, RMSE {_number(one.rmse)}"
    for prediction in predictions:
        yield _prediction(answer, prediction)


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
    method = law.uncertainty.method if law.uncertainty else "none, for want of points"
    fitted = f"RMSE {_number(law.rmse)}{unit(answer.measure.y)} in {quantity_name(answer.measure.y)}"
    return f"{answer.fit.recipe.level:.0%} intervals: {method}; {fitted}"


def _prediction(answer: Answer, prediction: Prediction) -> str:
    each = zip(prediction.x, answer.question.x, strict=True)
    where = ", ".join(f"{x:.4g}{unit(column)}" for x, column in each)
    bounds = f"[{_number(prediction.low)}, {_number(prediction.high)}]"
    far = prediction.extrapolation or 1.0
    beyond = f"{far:.3g} times beyond the points" if far > 1 else "among the points"
    return f"at {where}: {_number(prediction.value)} {bounds}, {beyond}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
