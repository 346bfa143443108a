"""Learning curves: each run's checkpoints, by samples seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from analysis.answers.measures import Measure, quantity_name, scores_of
from analysis.figures.style import STYLE, axis_label, legend_below, log_axes, panels, styles
from evaluation.results.select import ERROR, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLES, RUN, GROUP, MODEL = "samples_seen", "run_id", "pretrain_dataset", "model"


@mpl.rc_context(STYLE)
def curves_figure(frame: pd.DataFrame, measures: Sequence[Measure]) -> Figure | None:
    """Return one panel a measure of all checkpoints; None where no run has two that were scored."""
    if not {SAMPLES, RUN, GROUP, MODEL, "downstream_dataset"} <= set(frame.columns):
        return None
    scored = {(one.downstream_dataset, one.eval): one.rows for one in scores_of(frame)}
    each = [(measure, scored.get((measure.downstream_dataset, measure.eval))) for measure in measures]
    shown = [(m, curves) for m, rows in each if rows is not None and len(curves := _curves(rows, m))]
    if not shown:
        return None
    figure, axes = panels(len(shown))
    colours, markers = (styles(sorted(frame[name].unique())) for name in (GROUP, MODEL))
    for panel, (measure, rows) in zip(axes, shown, strict=True):
        for _, run in rows.sort_values(SAMPLES).groupby(RUN):
            first = run.iloc[0]
            panel.plot(
                run[SAMPLES], quantity(run, measure.y), color=colours[first[GROUP]][0],
                marker=markers[first[MODEL]][1], ms=3.5, lw=1, alpha=0.8,
            )  # fmt: skip
        _finish(panel, measure)
    looks = {name: {"color": colour} for name, (colour, _) in colours.items()}
    looks |= {name: {"marker": marker, "ls": ""} for name, (_, marker) in markers.items()}
    legend_below(figure, looks)
    return figure


def _curves(rows: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Return the rows with a measure that belong to runs with several checkpoints."""
    rows = rows[rows[measure.y.removeprefix(ERROR)].notna()]
    return rows[rows.groupby(RUN)[SAMPLES].transform("nunique") > 1]


def _finish(panel: "Axes", measure: Measure) -> None:
    panel.set(title=measure.title, xlabel=axis_label((SAMPLES,)), ylabel=quantity_name(measure.y))
    log_axes(panel)
