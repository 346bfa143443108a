"""The laws of a table: one fit for each measure (eval, test set and quantity) and group."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.answers.measures import Measure, Scores, measures, passed_over
from analysis.answers.offers import Offer, offer
from analysis.fitting.fit import Fit, fit_points
from analysis.fitting.heldout import Choice, Heldout, best_form, fit_below, fit_jointly_below
from analysis.fitting.recipe import Recipe
from analysis.fitting.shared import fit_jointly
from analysis.questions.question import Question
from evaluation.results.select import ERROR, require_column, require_numbers
from sweeps.errors import NothingToFit, UsageError
from sweeps.text import plural

Group = tuple[str | None, pd.DataFrame]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A fit, how it does above the thresholds of a question, and how its form was chosen."""

    fit: Fit
    heldout: Heldout | None
    rolling: tuple[Heldout, ...]
    choice: Choice | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The fit of one measure in one group (None: all rows). `points`: the rows that it was offered.

    `heldout`: how it does above the threshold below which it was fitted; `rolling`: how such fits do at
    others. `choice`: how its form was chosen. `left_out`: what is to be said of other rows.
    """

    question: Question
    measure: Measure
    group: str | None
    points: pd.DataFrame
    fit: Fit
    heldout: Heldout | None
    rolling: tuple[Heldout, ...]
    choice: Choice | None
    left_out: list[str]

    @property
    def name(self) -> str:
        """What it is about, in a few words."""
        return self.measure.title + (f", {self.group}" if self.group is not None else "")

    @property
    def warnings(self) -> list[str]:
        """What is to be said of what was left out, of held-out points and of the fit."""
        return [*self.left_out, *self._of_holdout(), *self.fit.warnings]

    def sentence(self) -> str:
        """Return the law in one line, with its interval and its warnings."""
        notes = "; ".join(self.warnings)
        if self.fit.law is None:
            return f"{self.name}: {notes}"
        law = f"{self.fit.law.form.sentence(self.fit.law.params)}, {self.interval()}"
        runs = plural(len(self.points), "run")
        if self.fit.recipe.frontier != "none":
            runs = f"{len(self.fit.y)} of {runs} on the frontier"
        return f"{self.name}: {law}; {runs}, R² {self.fit.law.r2:.2f}" + (f". {notes}" if notes else "")

    def interval(self) -> str:
        """Return the interval of the exponent in words."""
        level = self.fit.recipe.level
        intervals = self.fit.law.interval(level) if self.fit.law else {}
        letter = self.fit.recipe.shape.exponents[0]
        if letter not in intervals:
            return "no interval"
        low, high = intervals[letter]
        return f"{letter} in [{low:.3f}, {high:.3f}] ({level:.0%})"

    def _of_holdout(self) -> Iterator[str]:
        above = self.question.holdout_above
        if self.heldout is not None and not len(self.points):
            yield f"no run has at most {above:g}"
        if self.heldout is not None and not len(self.heldout.y):
            yield f"nothing is held out: no run has more than {above:g}"
        if self.question.chooses_form and self.choice is None:
            yield "no form could be scored on held-out points: power is taken"


def laws_of(frame: pd.DataFrame, question: Question) -> list[Answer]:
    """Return a law for each measure and group of a table with one row for each eval of each run.

    Raises:
        UsageError: a column does not exist or holds no numbers, or there is no such rule.
        NothingToFit: nothing is scored.
    """
    for column in question.x:
        require_numbers(frame, column)
    for column in (*question.best_per, *([question.group] if question.group else [])):
        require_column(frame, column)
    if question.y is not None:
        require_numbers(frame, question.y.removeprefix(ERROR))
    frame = _linked(frame, question.x)
    found = measures(frame, question.y, question.group)
    answers = [answer for one in found for answer in _of_groups(question, *one)]
    if not answers:
        raise NothingToFit(f"there is nothing to fit: {_why_nothing(frame, question)}")
    return answers


def _why_nothing(frame: pd.DataFrame, question: Question) -> str:
    if frame.empty:
        return "no row has a metric"
    if question.group and frame[question.group].isna().all():
        return f"no row has a {question.group}"
    return "; ".join(passed_over(frame, question.y)) or f"no row has a value of {question.y}"


def _linked(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Give each row what other evals of its checkpoint say of `columns`: a loss beside an accuracy.

    Raises:
        UsageError: they say different things.
    """
    if "checkpoint" not in frame.columns:
        return frame
    for column in columns:
        known = frame.groupby("checkpoint")[column]
        if frame[column].notna().all():
            continue
        if (known.nunique() > 1).any():
            raise UsageError(f"x={column}: a checkpoint has several; say whose by where.COLUMN=[…]")
        frame = frame.assign(**{column: known.transform("first")})
    return frame


def _groups(rows: pd.DataFrame, column: str | None) -> Iterator[Group]:
    if column is None:
        yield None, rows
        return
    for name, points in rows.groupby(column, sort=True):
        yield str(name), points


def _of_groups(question: Question, measure: Measure, scores: Scores) -> list[Answer]:
    groups = list(_groups(scores.rows, question.group))
    nameless = len(scores.rows) - sum(len(rows) for _, rows in groups)
    lost = f"left out {nameless} of {len(scores.rows)} runs: no {question.group}"
    notes = [*scores.notes, *([lost] if nameless else [])]
    offers = [offer(question, measure, rows) for _, rows in groups]
    fitted = _jointly(question, offers) if question.shared else [_alone(question, o) for o in offers]
    return [
        _answer(name, offered, notes, found)
        for (name, _), offered, found in zip(groups, offers, fitted, strict=True)
    ]


def _alone(question: Question, offered: Offer) -> Fitted:
    """Fit one group by itself."""
    recipe, choice = _recipe(question, offered)
    above, quick = question.holdout_above, replace(recipe, num_resamples=0)
    x, y = offered.points(above)
    fit, heldout = (fit_points(x, y, recipe), None) if above is None else fit_below(x, y, recipe, above)
    rolling = tuple(fit_below(*offered.points(above), quick, above)[1] for above in question.rolling)
    return Fitted(fit=fit, heldout=heldout, rolling=rolling, choice=choice)


def _jointly(question: Question, offers: Sequence[Offer]) -> list[Fitted]:
    """Fit groups that share exponents."""
    recipe, shared, above = question.recipe, question.shared, question.holdout_above
    quick = replace(recipe, num_resamples=0)
    points = [one.points(above) for one in offers]
    found: Sequence[tuple[Fit, Heldout | None]] = (
        [(fit, None) for fit in fit_jointly(points, recipe, shared)]
        if above is None
        else fit_jointly_below(points, recipe, shared, above)
    )
    rolling = [
        fit_jointly_below([one.points(above) for one in offers], quick, shared, above)
        for above in question.rolling
    ]
    return [
        Fitted(fit=fit, heldout=heldout, rolling=tuple(each[n][1] for each in rolling), choice=None)
        for n, (fit, heldout) in enumerate(found)
    ]


def _answer(group: str | None, offered: Offer, lost: Sequence[str], found: Fitted) -> Answer:
    question = offered.question
    return Answer(
        question=question, measure=offered.measure, group=group,
        points=offered.below(question.holdout_above),  # the rows of the fit number these
        fit=found.fit, heldout=found.heldout, rolling=found.rolling, choice=found.choice,
        left_out=[*lost, *offered.notes],
    )  # fmt: skip


def _recipe(question: Question, offered: Offer) -> tuple[Recipe, Choice | None]:
    if not question.chooses_form:
        return question.recipe, None
    splits = {above: offered.points(above) for above in question.thresholds}
    choice = best_form(splits, question.recipe)
    return (replace(question.recipe, form=choice.form) if choice else question.recipe), choice
