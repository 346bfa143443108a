"""Laws of two inputs: against the second of them, a line for each value of the first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from analysis.answers.laws import Answer
from analysis.answers.measures import quantity_name
from analysis.arrays import Floats
from analysis.figures.style import STYLE, axis_label, log_axes, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 7
NUM_PLACES = 60
DARKEST, LIGHTEST = 0.0, 0.85
"""Of the colour map; what is lighter is lost on paper."""


@mpl.rc_context(STYLE)
def sizes_figure(answers: Sequence[Answer]) -> Figure:
    """Return one panel an answer: its points, held-out ones hollow, and its law with bands.

    Of many values of the first input some have a line, and all have their points.
    """
    figure, axes = panels(len(answers))
    for panel, answer in zip(axes, answers, strict=True):
        _draw(panel, answer)
        y = quantity_name(answer.measure.y)
        panel.set(title=answer.name, xlabel=axis_label(answer.question.x[1:]), ylabel=y)
        log_axes(panel)
    return figure


def _draw(panel: "Axes", answer: Answer) -> None:
    fit, far = answer.fit, answer.heldout
    sides = [(fit.x, fit.y), *([(far.x, far.y)] if far else [])]
    every = np.concatenate([x for x, _ in sides])
    sizes = np.unique(every[:, 0])
    shades = mpl.colormaps["viridis"](np.linspace(DARKEST, LIGHTEST, len(sizes)))
    lined = np.unique(np.linspace(0, len(sizes) - 1, MOST_LINES).round())
    for number, (size, shade) in enumerate(zip(sizes, shades, strict=True)):
        for (x, y), face in zip(sides, (shade, "white"), strict=False):
            here = x[:, 0] == size
            panel.scatter(x[here, 1], y[here], s=20, color=face, edgecolor=shade, zorder=3)
        if number in lined:
            line = np.geomspace(every[:, 1].min(), every[:, 1].max(), NUM_PLACES)
            _draw_curve(panel, answer, np.stack([np.full_like(line, size), line], axis=1), shade)
    panel.legend(title=answer.question.x[0].replace("_", " "), loc="upper left", bbox_to_anchor=(1, 1))


def _draw_curve(panel: "Axes", answer: Answer, x: Floats, shade: Any) -> None:
    """Draw the law at places x (n, 2), all of one size."""
    law = answer.fit.law
    label = f"{x[0, 0]:.3g}"
    if law is None:
        panel.plot([], [], color=shade, marker="o", ms=4, ls="", label=label)
        return
    band = law.band(x, answer.fit.recipe.level)
    panel.plot(x[:, 1], law.at(x), color=shade, ls=":" if answer.warnings else "-", lw=1.2, label=label)
    if band is not None:
        panel.fill_between(x[:, 1], *band, color=shade, alpha=0.13, lw=0)
