"""Which runs of a group are offered to the frontier step, and what is said of the others. Pure."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.answers.measures import Measure
from analysis.arrays import Floats
from analysis.questions.question import Question
from evaluation.results.select import ERROR, quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """The rows of a group that have all that a question asks for; `notes`: of the others."""

    question: Question
    measure: Measure
    rows: pd.DataFrame
    notes: list[str]

    def best(self, above: float | None) -> pd.DataFrame:
        """Return the best row of each cell on each side of a compute (None: there is one side)."""
        if not self.question.best_per:
            return self.rows
        cells = [self.rows[name] for name in self.question.best_per]
        sides = [] if above is None else [_compute(self.rows, self.question) > above]
        values = quantity(self.rows, self.measure.y)
        return self.rows.loc[values.groupby([*cells, *sides], observed=True).idxmin()]

    def below(self, above: float | None) -> pd.DataFrame:
        """Return those of them up to that compute."""
        rows = self.best(above)
        return rows if above is None else rows[_compute(rows, self.question) <= above]

    def points(self, above: float | None) -> tuple[Floats, Floats]:
        """Return the inputs (n, q) and values (n,) of the best rows."""
        return _numbers(self.question, self.measure, self.best(above))


def offer(question: Question, measure: Measure, rows: pd.DataFrame) -> Offer:
    """Return what a group offers: its rows with inputs above 0, a finite value, and a cell."""
    x, y = _numbers(question, measure, rows)
    has_cell = rows[list(question.best_per)].notna().all(axis=1).to_numpy()
    known = rows[(x > 0).all(axis=1) & np.isfinite(x).all(axis=1) & np.isfinite(y) & has_cell]
    left_out = len(rows) - len(known)
    what, column = " and ".join(question.x), measure.y.removeprefix(ERROR)
    cell = "".join(f", or no {name}" for name in question.best_per)
    note = f"left out {left_out} of {len(rows)} runs: no {what} above 0, or no finite {column}{cell}"
    return Offer(question=question, measure=measure, rows=known, notes=[note] if left_out else [])


def _compute(rows: pd.DataFrame, question: Question) -> pd.Series:
    """Return by what runs are held out: with two inputs, their product."""
    return rows[list(question.x)].prod(axis=1)


def _numbers(question: Question, measure: Measure, rows: pd.DataFrame) -> tuple[Floats, Floats]:
    x = rows[list(question.x)].to_numpy(dtype=np.float64)
    return x, quantity(rows, measure.y).to_numpy(dtype=np.float64)
