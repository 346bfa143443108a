"""Figures that print: runs, frontiers and laws against compute."""

import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullLocator

from analysis.laws import Answer, Measure, quantity_name
from analysis.question import DEFAULT_X
from evaluation.select import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Told apart also by the colour-blind (Okabe and Ito 2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P")

STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "isogrid",
}

COMPUTE = "compute (GFLOPs, forward, all samples)"
COLUMNS = 2
PANEL_INCHES = (4.4, 3.3)
FEW_DECADES, MANY_DECADES = 0.7, 2.5
LARGEST_PLAIN = 1e5


def scaling_figure(answers: Sequence[Answer]) -> Figure:
    """Return one panel a measure: all runs faint, frontiers solid, laws as lines."""
    measures = list(dict.fromkeys(one.measure for one in answers))
    columns = min(COLUMNS, len(measures))
    rows = -(-len(measures) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows), layout="constrained"
        )
        axes = figure.subplots(rows, columns, squeeze=False).flatten()
        for panel, measure in zip(axes, measures, strict=False):
            _panel(panel, measure, [one for one in answers if one.measure == measure])
        for panel in axes[len(measures) :]:
            panel.remove()
    return figure


def as_svg(figure: Figure) -> str:
    """Return a figure as an SVG element, the same for the same figure."""
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def as_png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=160)
    return content.getvalue()


def _panel(panel: "Axes", measure: Measure, answers: Sequence[Answer]) -> None:
    styles = itertools.cycle(zip(COLOURS, MARKERS, strict=True))
    for answer, (colour, marker) in zip(answers, styles, strict=False):
        _draw(panel, answer, colour, marker)
    panel.set(
        xscale="log",
        yscale="log",
        title=measure.title,
        xlabel=COMPUTE if answers[0].question.x[0] == DEFAULT_X else answers[0].question.x[0],
        ylabel=quantity_name(measure.y),
    )
    _ticks(panel.xaxis, *panel.get_xlim())
    _ticks(panel.yaxis, *panel.get_ylim())
    panel.legend(fontsize=8)


def _ticks(axis: "Axis", low: float, high: float) -> None:
    """Label a logarithmic axis legibly, whether it spans a few per cent or ten decades."""
    axis.set_minor_locator(NullLocator())
    decades = np.log10(high / low)
    if decades < FEW_DECADES:
        axis.set_major_locator(MaxNLocator(5))
    else:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < MANY_DECADES else (1,)))
    plain = high < LARGEST_PLAIN and low > 1 / LARGEST_PLAIN
    axis.set_major_formatter("{x:g}" if plain else LogFormatterSciNotation())


def _draw(panel: "Axes", answer: Answer, colour: str, marker: str) -> None:
    points, fit = answer.points, answer.fit
    x, every = points[answer.question.x[0]], quantity(points, answer.measure.y)
    panel.scatter(x, every, s=14, color=colour, alpha=0.3, marker=marker, lw=0)
    panel.scatter(fit.x[:, 0], fit.y, s=26, color=colour, marker=marker, zorder=3)
    label = answer.group or ""
    if fit.law is not None:
        line = np.geomspace(x.min(), x.max(), 50)
        doubtful = bool(answer.warnings)
        panel.plot(line, fit.law.at(line), color=colour, ls=":" if doubtful else "-", lw=1.4)
        exponent = fit.law.params[fit.law.form.exponents[0]]
        label += f": C^{exponent:.2f}" + (" (see warnings)" if doubtful else "")
    panel.plot([], [], color=colour, marker=marker, ls="", label=label)
