"""What all figures share: colours, panels, axes that read well over any range, and files."""

import io
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullLocator

from analysis.answers.laws import Answer
from analysis.answers.measures import Measure
from analysis.questions.question import DEFAULT_X
from analysis.questions.units import UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Told apart also by the colour-blind (Okabe and Ito 2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P")
GREY = "#666666"

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.loc": "upper right",
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "isogrid",
}

COMPUTES = (DEFAULT_X, "gmacs_total")
COLUMNS = 2
MOST_BESIDE = 5
LEGEND_POINTS, LEGEND_POINTS_EACH = 40, 5
"""What an entry of a legend takes in width, and each of its letters."""
PANEL_INCHES = (4.4, 3.3)
FEW_DECADES, MANY_DECADES = 0.7, 2.5
LARGEST_PLAIN = 1e5


def panels(number: int) -> tuple[Figure, list["Axes"]]:
    """Return a figure with so many panels."""
    columns = min(COLUMNS, number)
    rows = -(-number // columns)
    size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    figure = Figure(figsize=size, layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flatten())
    for panel in axes[number:]:
        panel.remove()
    return figure, axes[:number]


def legend_below(figure: Figure, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Say below all panels what lines and markers stand for, in black unless a look has a colour."""
    if not looks:
        return
    handles = [
        Line2D([], [], label=name, **{"color": "black", "ms": 4.5, **look})
        for name, look in looks.items()
    ]
    points = LEGEND_POINTS + LEGEND_POINTS_EACH * max(map(len, looks))
    beside = min(len(handles), MOST_BESIDE, int(figure.get_figwidth() * 72 / points))
    figure.legend(handles=handles, loc="outside lower center", ncols=max(beside, 1))


def measures_of(answers: Iterable[Answer]) -> list[Measure]:
    """Return what was measured, each once, in order."""
    return list(dict.fromkeys(answer.measure for answer in answers))


def styles(names: Iterable[Any]) -> dict[Any, tuple[str, str]]:
    """Return colour and marker of each name."""
    looks = itertools.cycle(zip(COLOURS, MARKERS, strict=True))
    return dict(zip(dict.fromkeys(names), looks, strict=False))


def axis_label(columns: Sequence[str]) -> str:
    """Return what stands beside an axis of these columns."""
    (column,) = columns
    if column in COMPUTES:
        return f"compute ({UNITS[column]}, forward, all samples)"
    name = column.replace("_", " ")
    return f"{name} ({UNITS[column]})" if column in UNITS and UNITS[column] not in name else name


def formula(sentence: str) -> str:
    """Return a law's formula with its exponents raised."""
    return re.sub(r"\^(-?[\d.]+)", r"$^{\1}$", sentence)


def log_axes(panel: "Axes", *, both: bool = True) -> None:
    """Make the x axis logarithmic, and the y axis where `both`, with ticks that read well."""
    panel.set_xscale("log")
    label_ticks(panel.xaxis, *panel.get_xlim())
    if both:
        panel.set_yscale("log")
        label_ticks(panel.yaxis, *panel.get_ylim())


def label_ticks(axis: "Axis", low: float, high: float) -> None:
    """Label a logarithmic axis legibly, whether it spans a few per cent or ten decades."""
    axis.set_minor_locator(NullLocator())
    decades = np.log10(high / low)
    plain = high < LARGEST_PLAIN and low > 1 / LARGEST_PLAIN
    if decades < FEW_DECADES:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    else:
        between = (1, 2, 5) if plain else (1, 3)  # large numbers take more room
        axis.set_major_locator(LogLocator(subs=between if decades < MANY_DECADES else (1,)))
    every = LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf))
    axis.set_major_formatter("{x:g}" if plain else every)


def as_svg(figure: Figure) -> str:
    """Return a figure as an SVG element, the same for the same figure."""
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def as_png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    content = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(content, format="png", dpi=160)
    return content.getvalue()
