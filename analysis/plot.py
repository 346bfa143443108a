"""Figures that print: runs, frontiers and laws against compute."""

import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullLocator

from analysis.laws import DEFAULT_X, Law, Measure, quantity_name
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


def scaling_figure(laws: Sequence[Law]) -> Figure:
    """Return one panel a measure: all runs faint, frontiers solid, laws as lines."""
    measures = list(dict.fromkeys(law.measure for law in laws))
    columns = min(COLUMNS, len(measures))
    rows = -(-len(measures) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows), layout="constrained"
        )
        axes = figure.subplots(rows, columns, squeeze=False).flatten()
        for panel, measure in zip(axes, measures, strict=False):
            _panel(panel, measure, [law for law in laws if law.measure == measure])
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


def _panel(panel: "Axes", measure: Measure, laws: Sequence[Law]) -> None:
    styles = itertools.cycle(zip(COLOURS, MARKERS, strict=True))
    for law, (colour, marker) in zip(laws, styles, strict=False):
        _draw(panel, law, colour, marker)
    panel.set(
        xscale="log",
        yscale="log",
        title=measure.title,
        xlabel=COMPUTE if laws[0].x == DEFAULT_X else laws[0].x,
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


def _draw(panel: "Axes", law: Law, colour: str, marker: str) -> None:
    every = quantity(law.points, law.measure.y)
    panel.scatter(law.points[law.x], every, s=14, color=colour, alpha=0.3, marker=marker, lw=0)
    panel.scatter(law.fit.x, law.fit.y, s=26, color=colour, marker=marker, zorder=3)
    label = law.group
    if law.fit.law is not None:
        x = np.geomspace(law.points[law.x].min(), law.points[law.x].max(), 50)
        doubtful = bool(law.warnings)
        panel.plot(x, law.fit.law.at(x), color=colour, ls=":" if doubtful else "-", lw=1.4)
        label += f": C^{law.fit.law.alpha:.2f}" + (" (see warnings)" if doubtful else "")
    panel.plot([], [], color=colour, marker=marker, ls="", label=label)
