"""Laws against compute: runs, frontier, law with its band, and what was held out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from analysis.answers.laws import Answer
from analysis.answers.measures import quantity_name
from analysis.arrays import Floats
from analysis.figures.style import STYLE, axis_label, log_axes, measures_of, panels, styles
from evaluation.results.select import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUM_PLACES = 80
LEAST_SPAN = 0.1
"""An axis whose values are all alike shows so much of them."""
MOST_BEYOND = 3.0
"""A curve has room on its panel up to so many times beyond the points."""
MARGIN, LEGEND_LINE = 0.08, 0.09
"""Shares of a panel: between points and axes, and what an entry of the legend above them takes."""


@mpl.rc_context(STYLE)
def scaling_figure(answers: Sequence[Answer]) -> Figure:
    """Return one panel a measure: runs faint, frontier solid, held-out points hollow, laws with bands.

    The line is dotted where there are warnings, and dashed beyond the points that it was fitted to.
    """
    measures = measures_of(answers)
    figure, axes = panels(len(measures))
    looks = styles(answer.group for answer in answers)
    for panel, measure in zip(axes, measures, strict=True):
        here = [answer for answer in answers if answer.measure == measure]
        for answer in here:
            draw_law(panel, answer, *looks[answer.group])
        finish(panel, here)
    return figure


def draw_law(panel: "Axes", answer: Answer, colour: str, marker: str) -> None:
    """Draw all that is known of one answer."""
    points, fit = answer.points, answer.fit
    x, every = points[answer.question.x[0]], quantity(points, answer.measure.y)
    panel.scatter(x, every, s=12, color=colour, alpha=0.25, marker=marker, lw=0)
    panel.scatter(fit.x[:, 0], fit.y, s=26, color=colour, marker=marker, zorder=3)
    label = answer.group or ("runs" if fit.recipe.frontier == "none" else "frontier")
    ends = [*fit.x[:, 0]]
    if answer.heldout is not None and len(answer.heldout.y):
        far = answer.heldout.x[:, 0]
        panel.scatter(far, answer.heldout.y, s=26, fc="white", ec=colour, marker=marker, zorder=3)
        ends += [*far]
    if fit.law is not None:
        _draw_curve(panel, answer, (min(ends), max(ends)), colour)
        exponent = fit.law.params[fit.law.form.exponents[0]]
        label += f": exponent {exponent:.2f}" + (" (see warnings)" if answer.warnings else "")
    panel.plot([], [], color=colour, marker=marker, ls="", label=label)


def _draw_curve(panel: "Axes", answer: Answer, ends: tuple[float, float], colour: str) -> None:
    law, last = answer.fit.law, float(answer.fit.x.max())
    assert law is not None
    line = np.geomspace(*ends, NUM_PLACES)
    value, band = law.at(line), law.band(line, answer.fit.recipe.level)
    within = line <= last
    panel.plot(line[within], value[within], color=colour, ls=":" if answer.warnings else "-", lw=1.4)
    panel.plot(line[~within], value[~within], color=colour, ls="--", lw=1.2)
    if band is not None:
        low = np.maximum(band[0], value / 100)  # a bound below 0 has no place on a logarithmic axis
        panel.fill_between(line, low, np.minimum(band[1], value * 100), color=colour, alpha=0.13, lw=0)


def finish(panel: "Axes", answers: Sequence[Answer]) -> None:
    """Name the axes of a panel, and fit it to its points, wide as some band may be."""
    measure = answers[0].measure
    shown = [quantity(answer.points, measure.y).to_numpy(dtype=np.float64) for answer in answers]
    shown += [answer.heldout.y for answer in answers if answer.heldout is not None]
    values = np.concatenate(shown)
    every = np.concatenate([values, *(_ends(answer, values) for answer in answers)])
    entries = len(panel.get_legend_handles_labels()[1])
    panel.set(
        title=measure.title,
        xlabel=axis_label(answers[0].question.x),
        ylabel=quantity_name(measure.y),
        ylim=_limits(every.min(), every.max(), MARGIN + LEGEND_LINE * entries),
    )
    log_axes(panel, both=bool(values.min() > 0))
    if entries:
        panel.legend()


def _ends(answer: Answer, values: Floats) -> Floats:
    """Return where a curve begins and ends, as far as that is not far from all points; else nothing."""
    law, far = answer.fit.law, answer.heldout
    if law is None or values.min() <= 0:
        return np.empty(0)
    x = np.concatenate([answer.fit.x[:, 0], *([far.x[:, 0]] if far else [])])
    ends = law.at(np.array([x.min(), x.max()]))
    return np.clip(ends, values.min() / MOST_BEYOND, values.max() * MOST_BEYOND)


def _limits(low: float, high: float, above: float) -> tuple[float, float]:
    """Return an axis's ends, with a margin below and a share `above`; linear unless all is above 0."""
    if low > 0:
        factor = max(high / low, 1 + LEAST_SPAN)
        return low / factor**MARGIN, high * factor**above
    span = max(high - low, LEAST_SPAN)
    return low - MARGIN * span, high + above * span
