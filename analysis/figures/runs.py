"""The published scaling plot: runs by model, data and samples seen, with the law of each group.

The form of figure 1 in arXiv:2212.07143: colour is the data, the marker the model, its size the
samples.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.answers.laws import Answer
from analysis.arrays import Floats
from analysis.figures.scaling import NUM_PLACES, finish
from analysis.figures.style import (
    GREY,
    MARKERS,
    STYLE,
    formula,
    legend_below,
    measures_of,
    panels,
    styles,
)
from evaluation.results.select import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODELS = ("model", "arch")
"""Columns that name the model, here and in the published tables."""
SAMPLES = "samples_seen"
MODEL_MARKERS = (*MARKERS, "X", "p", "*", "h", "<", ">", "d", "8", "H")
SMALLEST, LARGEST = 14, 90
"""Areas of markers, in square points."""


@mpl.rc_context(STYLE)
def runs_figure(answers: Sequence[Answer]) -> Figure | None:
    """Return one panel a measure; None where the table has no models or samples."""
    column = next((name for name in MODELS if name in answers[0].points.columns), None)
    if column is None or SAMPLES not in answers[0].points.columns:
        return None
    figure, axes = panels(len(measures_of(answers)))
    looks = styles(answer.group for answer in answers)
    names = sorted({str(name) for answer in answers for name in answer.points[column]})
    samples = pd.concat([answer.points[SAMPLES] for answer in answers])
    ends = (float(samples.min()), float(samples.max()))
    markers = {name: MODEL_MARKERS[place % len(MODEL_MARKERS)] for place, name in enumerate(names)}
    for panel, measure in zip(axes, measures_of(answers), strict=True):
        here = [answer for answer in answers if answer.measure == measure]
        for answer in here:
            sizes = _sizes(answer.points[SAMPLES], ends)
            _draw(panel, answer, column, colour=looks[answer.group][0], markers=markers, sizes=sizes)
        finish(panel, here)
    looks_below = {name: {"marker": marker, "ls": ""} for name, marker in markers.items()}
    legend_below(figure, looks_below | _size_looks(ends))
    return figure


def _size_looks(ends: tuple[float, float]) -> dict[str, dict[str, Any]]:
    """Return how the least and the largest number of samples look."""
    areas = _sizes(pd.Series(ends), ends)
    each = zip(ends, areas, strict=True)
    return {
        f"{samples:.3g} samples": {"marker": "o", "ls": "", "ms": area**0.5, "color": GREY}
        for samples, area in each
    }


def _draw(
    panel: "Axes", answer: Answer, column: str, *, colour: str, markers: dict[str, str], sizes: Floats
) -> None:
    points = answer.points
    for name, marker in markers.items():
        rows = (points[column].astype(str) == name).to_numpy()
        panel.scatter(
            points[answer.question.x[0]][rows], quantity(points, answer.measure.y)[rows],
            s=sizes[rows], marker=marker, color=colour, alpha=0.7, lw=0,
        )  # fmt: skip
    law = answer.fit.law
    if law is not None:
        line = np.geomspace(
            points[answer.question.x[0]].min(), points[answer.question.x[0]].max(), NUM_PLACES
        )
        named = f"{answer.group}, " if answer.group else ""
        panel.plot(
            line,
            law.at(line),
            color=colour,
            lw=1.2,
            label=named + formula(law.form.sentence(law.params)),
        )


def _sizes(samples: pd.Series, ends: tuple[float, float]) -> Floats:
    """Return areas that grow with the logarithm of the samples seen, from the least to the most."""
    known = samples.fillna(ends[0]).to_numpy(dtype=np.float64)
    share = np.log(known / ends[0]) / (np.log(ends[1] / ends[0]) or 1.0)
    areas: Floats = SMALLEST + (LARGEST - SMALLEST) * share
    return areas
