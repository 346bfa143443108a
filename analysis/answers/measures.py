"""What was measured: a quantity of an eval on a test set, and its scores in a table. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from analysis.questions.question import MAIN_METRIC
from evaluation.results.select import ERROR, require_numbers

MAIN_METRICS = ("error:mean", "error:acc1", "error:image_retrieval_recall@5", "contrastive_loss")
"""What is fitted of an eval whose main metric is not known: the first of these that it has."""
NAMES = ("downstream_dataset", "eval")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A quantity of an eval on one test set. `title`: how it is named in text and figures."""

    downstream_dataset: str
    eval: str
    y: str
    title: str = field(compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """The rows of an eval on one test set by its newest version; `notes`: of what was left out."""

    downstream_dataset: str
    eval: str
    rows: pd.DataFrame
    notes: list[str]

    def quantity(self, y: str | None) -> str | None:
        """Return what is fitted: y, or the main metric if y is None; None where no row has it.

        Raises:
            UsageError: it holds no numbers.
        """
        for name in self._main() if y is None else (y,):
            column = name.removeprefix(ERROR)
            if column in self.rows.columns and self.rows[column].notna().any():
                require_numbers(self.rows, column)
                return name
        return None

    def _main(self) -> Sequence[str]:
        named = self.rows[MAIN_METRIC].dropna() if MAIN_METRIC in self.rows.columns else ()
        return [_quantity_of(str(name)) for name in named[:1]] or MAIN_METRICS


def scores_of(frame: pd.DataFrame) -> list[Scores]:
    """Return the scores of each eval on each test set, both "" where the table does not name them."""
    named = frame.assign(**{name: _text(frame, name) for name in NAMES})
    return [
        Scores(downstream_dataset=str(dataset), eval=str(name), rows=newest, notes=notes)
        for (dataset, name), rows in named.groupby(list(NAMES), sort=True)
        for newest, notes in [_newest(rows)]
    ]


def measures(
    frame: pd.DataFrame, y: str | None, group: str | None = None
) -> Iterator[tuple[Measure, Scores]]:
    """Yield what is fitted of each eval, y or (None) its main metric, where a row has it.

    A title names the eval where several measured the same on the same set. With group="eval" measures
    do not tell evals apart, as these are what is compared.

    Raises:
        UsageError: it holds no numbers.
    """
    found = [(one, name) for one in scores_of(frame) if (name := one.quantity(y)) is not None]
    alike = Counter((one.downstream_dataset, name) for one, name in found)
    for one, name in found:
        dataset, own = one.downstream_dataset, "" if group == "eval" else one.eval
        of = f" of {own}" if own and alike[dataset, name] > 1 else ""
        title = _title(quantity_name(name) + of, dataset)
        yield Measure(downstream_dataset=dataset, eval=own, y=name, title=title), one


def passed_over(frame: pd.DataFrame, y: str | None) -> list[str]:
    """Return what is to be said of evals that have no main metric, if that is what is fitted."""
    lost = [one for one in scores_of(frame) if y is None and one.quantity(None) is None]
    if not lost:
        return []
    names = [_title(one.eval or "the table", one.downstream_dataset) for one in lost]
    return [f"no row has a main metric of {', '.join(names)}: say y=COLUMN or y=error:COLUMN"]


def quantity_name(y: str) -> str:
    """Return a readable name of a quantity: `1 − acc1` for `error:acc1`."""
    return f"1 − {y.removeprefix(ERROR)}" if y.startswith(ERROR) else y.replace("_", " ")


def _title(what: str, dataset: str) -> str:
    return f"{what} on {dataset}" if dataset else what


def _text(frame: pd.DataFrame, column: str) -> pd.Series | str:
    return frame[column].astype("str").fillna("") if column in frame.columns else ""


def _quantity_of(metric: str) -> str:
    """Return what is fitted of a main metric: a loss itself, of a share of right answers the rest."""
    return metric if metric.endswith("loss") else ERROR + metric


def _newest(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows by the newest version of their eval, and how many runs have none."""
    if "eval_version" not in rows.columns:
        return rows, []
    is_old = rows["eval_version"] < rows["eval_version"].max()
    runs = rows["checkpoint"] if "checkpoint" in rows.columns else rows.index.to_series()
    lost = runs[is_old & ~runs.isin(runs[~is_old])].nunique()
    note = f"left out {lost} of {runs.nunique()} runs: scored by an older version of the eval"
    return rows[~is_old], [note] if lost else []
