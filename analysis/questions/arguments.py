"""The arguments of the commands, `key=value` each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.fitting.recipe import HUBER_DELTA, Loss, Recipe, Residuals
from analysis.questions.flops import Flops, constant, flops_law
from analysis.questions.question import BEST, DEFAULT_X, REPORT_GROUP, REPORT_RESAMPLES, Question
from analysis.questions.tables import Table, averaged, read_table
from conf.schema import Natural, OutputFormat
from evaluation.results.select import filtered, require_column, require_numbers
from sweeps.errors import UsageError, choices

Numbers = float | str | list[float] | None
"""One number, several with commas between, or a list."""
Names = str | list[str]

ARGUMENTS = """  root=DIR [sweep=NAME]    our results table; or
  table=FILE               any CSV or Parquet file
  published=true           of our table also what was imported into it; group=source tells it apart
  suite=NAME               instead of each score the plain mean over a suite, y=error:mean, where none
                           of its scores is missing
  x=gflops_total           column of compute; x=num_params,samples_seen for chinchilla
  y=error:acc1             a column, the lower the better, or error:COLUMN for 1 - COLUMN; without y,
                           the main_metric that the suite names of each eval, or in a file the first
                           of mean, acc1, image_retrieval_recall@5, contrastive_loss
  where.COLUMN=value       only these rows; a [list] means any of it; where.COLUMN.min= and .max=
  group=COLUMN             one fit for each value of this column
  shared=alpha             exponents that all groups have in common, fitted jointly
  best_per=COLUMN,...      only the best run of each cell of these columns, on each side of a threshold
  form=power               power, power_floor, saturating, chinchilla, sigmoid; best, by held-out error
  frontier=pareto          none, bins5, log2bins, pareto
  residuals=log            log or linear; by default log for power, else linear. The objective of
                           chinchilla's paper is residuals=log
  loss=squared             squared or huber [delta=0.001]; by default huber for chinchilla
  bootstrap=0              resamples of the runs for the intervals; 0: the delta method
  level=0.95 seed=0        of the intervals; of the resamples
  holdout_above=C          fit below, score above
  rolling=C,C,...          score so at several thresholds
  format=text              or json"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """Which rows are meant."""

    root: str | None = None
    table: str | None = None
    sweep: str | None = None
    published: bool = False
    suite: str | None = None
    where: dict[str, Any] = field(default_factory=dict)
    format: OutputFormat = OutputFormat.text

    def read(self) -> Table:
        """Return the rows that pass the filters.

        Raises:
            UsageError: there are none, or none has one of the texts asked for, or they cannot be read.
        """
        table = read_table(self.root, self.table, self.sweep, published=self.published)
        if self.suite is not None:
            table = averaged(table, self.suite)
        _refuse_absent(table.frame, self.where)
        frame = filtered(table.frame, self.where)
        if frame.empty:
            raise UsageError(f"no row is left with {self.where}" if self.where else "there is no row")
        every = table.checkpoints
        return replace(
            table, frame=frame, checkpoints=None if every is None else filtered(every, self.where)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FitArguments(Input):
    """What is fitted and how; see `ARGUMENTS`."""

    x: Names = DEFAULT_X
    y: str | None = None
    group: str | None = None
    best_per: Names = ""
    shared: Names = ""
    form: str = "power"
    frontier: str | None = None
    residuals: Residuals | None = None
    loss: Loss | None = None
    delta: float = HUBER_DELTA
    bootstrap: Natural = 0
    level: float = 0.95
    seed: Natural = 0
    holdout_above: float | None = None
    rolling: Numbers = None

    def question(self) -> Question:
        """Return what is asked.

        Raises:
            UsageError: a value is out of its range, or there is no such form.
        """
        return Question(
            x=names(self.x),
            y=self.y,
            group=self.group,
            best_per=names(self.best_per),
            shared=names(self.shared),
            holdout_above=self.holdout_above,
            rolling=numbers("rolling", self.rolling),
            chooses_form=self.form == BEST,
            recipe=self._recipe(),
        )

    def _recipe(self) -> Recipe:
        form = "power" if self.form == BEST else self.form
        usual = "none" if form in ("chinchilla", "sigmoid") else "pareto"
        return Recipe(
            form=form,
            frontier=self.frontier or usual,
            residuals=self.residuals,
            loss=self.loss,
            delta=self.delta,
            num_resamples=self.bootstrap,
            level=self.level,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictArguments(FitArguments):
    """A fit, and where to read it."""

    at: Numbers = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportArguments(FitArguments):
    """The fits of a report, and where it goes."""

    group: str | None = REPORT_GROUP
    bootstrap: Natural = REPORT_RESAMPLES
    out: str | None = None

    def folder(self, table: Table) -> Path:
        """Return the folder of the report.

        Raises:
            UsageError: it is not known.
        """
        if self.out is not None:
            return Path(self.out)
        if table.folder is None:
            raise UsageError("say where the report of a file goes: out=DIR")
        return table.folder


@dataclass(frozen=True, kw_only=True, slots=True)
class CompareArguments(FitArguments):
    """A fit of each group, and the contexts in which they are compared."""

    group: str | None = REPORT_GROUP
    by: Names = ""
    bootstrap: Natural = REPORT_RESAMPLES

    def contexts(self, frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
        """Return the rows of each value of the columns `by`, and how to call it.

        Raises:
            UsageError: a column does not exist, no row has a value, or there is nothing to resample.
        """
        if not self.bootstrap:
            raise UsageError("bootstrap=0: a comparison rests on resamples")
        if len(names(self.x)) > 1:
            raise UsageError(f"x={','.join(names(self.x))}: groups are compared along one column")
        columns = list(names(self.by))
        for column in columns:
            require_column(frame, column)
        if not columns:
            return [("", frame)]
        each = frame.groupby(columns, sort=True, observed=True)
        if not each.ngroups:
            raise UsageError(f"by={','.join(columns)}: no row has a value")
        return [(", ".join(map(str, at)), rows) for at, rows in each]

    def without_context(self, frame: pd.DataFrame) -> list[str]:
        """Return how many rows have no value of a column of `by`, to be said."""
        columns = list(names(self.by))
        lost = int(frame[columns].isna().any(axis=1).sum())
        return [f"left out {lost} of {len(frame)} rows: no {' or '.join(columns)}"] if lost else []


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimalArguments(PredictArguments):
    """A fit of size and samples, and the computes to be split."""

    x: Names = "num_params,samples_seen"
    form: str = "chinchilla"
    bootstrap: Natural = REPORT_RESAMPLES
    compute: str = DEFAULT_X
    flops: float | None = None

    def flops_of(self, frame: pd.DataFrame) -> Flops:
        """Return what models cost: as given, or as the rows of a table say.

        Raises:
            UsageError: neither is known.
        """
        if self.flops is not None:
            return constant(self.flops)
        columns = (*names(self.x), self.compute)
        for column in columns:
            require_numbers(frame, column)
        return flops_law(*(frame[column].to_numpy(dtype=np.float64) for column in columns))


def names(value: Names) -> tuple[str, ...]:
    """Return the names that a comma list or a list gives."""
    found = value.split(",") if isinstance(value, str) else value
    return tuple(name.strip() for name in found if name.strip())


def numbers(key: str, value: Numbers) -> tuple[float, ...]:
    """Return the numbers that a number, a comma list or a list gives.

    Raises:
        UsageError: one is no number.
    """
    if value is None:
        return ()
    found = (
        value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    )
    try:
        return tuple(float(number) for number in found)
    except ValueError as error:
        raise UsageError(f"{key}={value}: expected numbers with commas between") from error


def _refuse_absent(frame: pd.DataFrame, where: Mapping[str, Any]) -> None:
    """Refuse a text that no row has: a law of fewer groups than were asked for misleads."""
    for column, wanted in where.items():
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if isinstance(value, str) and filtered(frame, {column: value}).empty:
                known = map(str, frame[column].dropna().unique())
                raise UsageError(f"no row has where.{column}={value}. {choices(value, known)}")
