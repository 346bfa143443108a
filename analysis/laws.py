"""The laws of a table: one fit for each measure (test set and quantity) and group (training data)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.fit import Fit, fit_frontier, fit_json
from evaluation.select import ERROR, quantity, require_column, require_numbers
from sweeps.errors import NothingToFit

DEFAULT_X = "gflops_total"
DEFAULT_GROUP = "pretrain_dataset"

MAIN_METRICS = ("error:acc1", "error:image_retrieval_recall@5", "contrastive_loss")
"""What is fitted of each eval where nothing else is asked for: the first of these that it has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A quantity on one test set."""

    downstream_dataset: str
    y: str

    @property
    def title(self) -> str:
        """How it is named in text and figures."""
        where = f" on {self.downstream_dataset}" if self.downstream_dataset else ""
        return quantity_name(self.y) + where


@dataclass(frozen=True, kw_only=True, slots=True)
class Law:
    """The fit of one measure in one group. `points` are the rows that the fit was offered.

    `warnings`: those of the fit, and what was left out before.
    """

    measure: Measure
    group: str
    x: str
    points: pd.DataFrame
    fit: Fit
    warnings: list[str]

    def sentence(self) -> str:
        """Return the law in one line, with its interval and its warnings."""
        name = f"{self.measure.title}, {self.group}: "
        law, notes = self.fit.law, "; ".join(self.warnings)
        if law is None:
            return name + notes
        frontier = f"{len(self.fit.rows)} of {len(self.points)} runs on the frontier"
        law_text = f"E = {law.beta:.3g} · C^{law.alpha:.3f}, {self.interval()}"
        return f"{name}{law_text}; {frontier}, R² {law.r2:.2f}" + (f". {notes}" if notes else "")

    def interval(self) -> str:
        """Return the interval of alpha in words."""
        if "alpha" not in self.fit.interval:
            return "no interval"
        low, high = self.fit.interval["alpha"]
        return f"alpha in [{low:.3f}, {high:.3f}] ({self.fit.level:.0%})"


def quantity_name(y: str) -> str:
    """Return a readable name of a quantity: `1 − acc1` for `error:acc1`."""
    return f"1 − {y.removeprefix('error:')}" if y.startswith("error:") else y.replace("_", " ")


def laws_of(
    frame: pd.DataFrame,
    *,
    x: str = DEFAULT_X,
    y: str | None = None,
    group: str = DEFAULT_GROUP,
    rule: str = "pareto",
    num_resamples: int = 1000,
) -> list[Law]:
    """Return a law for each measure and group.

    Args:
        frame: one row for each eval of each run.
        x: column of compute.
        y: quantity; None for the main one of each eval.
        group: column that tells groups apart.
        rule: of the frontier.
        num_resamples: of the bootstrap.

    Raises:
        UsageError: a column does not exist or holds no numbers, or there is no such rule.
        NothingToFit: nothing is scored.
    """
    require_numbers(frame, x)
    require_column(frame, group)
    if y is not None:
        require_numbers(frame, y.removeprefix(ERROR))
    laws = [
        _law(measure, str(name), points, x=x, rule=rule, num_resamples=num_resamples)
        for measure, rows in _measures(frame, y)
        for name, points in rows.groupby(group, sort=True)
    ]
    if not laws:
        raise NothingToFit("there is nothing to fit: no row has a metric")
    return laws


def law_json(law: Law) -> dict[str, Any]:
    """Return a law as plain data; `frontier` lists the rows that were used."""
    used = law.points.iloc[law.fit.rows]
    columns = [c for c in ("checkpoint", "model", "samples_seen", law.x) if c in used.columns]
    rows = used[columns].assign(y=quantity(used, law.measure.y))
    return {
        "group": law.group,
        "downstream_dataset": law.measure.downstream_dataset,
        "x": law.x,
        "y": law.measure.y,
        **fit_json(law.fit),
        "warnings": law.warnings,
        "frontier": rows.to_dict(orient="records"),
    }


def _measures(frame: pd.DataFrame, y: str | None) -> Iterator[tuple[Measure, pd.DataFrame]]:
    """Yield each measure with the rows that have it."""
    frame = frame.assign(**{c: "" for c in ("downstream_dataset", "eval") if c not in frame.columns})
    for (dataset, _), rows in frame.groupby(["downstream_dataset", "eval"], sort=True):
        if "eval_version" in rows.columns:
            rows = rows[rows["eval_version"] == rows["eval_version"].max()]
        for name in MAIN_METRICS if y is None else (y,):
            column = name.removeprefix("error:")
            if column in rows.columns and rows[column].notna().any():
                yield Measure(downstream_dataset=str(dataset), y=name), rows[rows[column].notna()]
                break


def _law(
    measure: Measure, group: str, points: pd.DataFrame, *, x: str, rule: str, num_resamples: int
) -> Law:
    known = points[points[x] > 0]
    fit = fit_frontier(
        known[x].to_numpy(dtype=np.float64),
        quantity(known, measure.y).to_numpy(dtype=np.float64),
        rule=rule,
        num_resamples=num_resamples,
    )
    left_out = len(points) - len(known)
    notes = [f"{left_out} of {len(points)} runs have no {x} above 0"] if left_out else []
    warnings = [*notes, *fit.warnings]
    return Law(measure=measure, group=group, x=x, points=known, fit=fit, warnings=warnings)
