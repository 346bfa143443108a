"""What laws leave over: residuals against compute."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from analysis.answers.laws import Answer
from analysis.arrays import Floats
from analysis.figures.style import (
    STYLE,
    axis_label,
    legend_below,
    log_axes,
    measures_of,
    panels,
    styles,
)

PER_CENT = 100


@mpl.rc_context(STYLE)
def residual_figure(answers: Sequence[Answer]) -> Figure | None:
    """Return one panel a measure: by how many per cent a law is above each point; None without one."""
    fitted = [answer for answer in answers if answer.fit.law is not None]
    if not fitted:
        return None
    measures = measures_of(fitted)
    figure, axes = panels(len(measures))
    looks = styles(answer.group for answer in answers)
    for panel, measure in zip(axes, measures, strict=True):
        here = [answer for answer in fitted if answer.measure == measure]
        panel.axhline(0, color="black", lw=0.8)
        for answer in here:
            colour, marker = looks[answer.group]
            x, off = _relative(answer)
            panel.plot(x, off, color=colour, marker=marker, ms=4.5, lw=0.8, alpha=0.9)
        panel.set(title=measure.title, xlabel=axis_label(here[0].question.x))
        panel.set_ylabel("law above the point (%)")
        log_axes(panel, both=False)
    legend_below(figure, {name: {"color": c, "marker": m} for name, (c, m) in looks.items() if name})
    return figure


def _relative(answer: Answer) -> tuple[Floats, Floats]:
    law, fit = answer.fit.law, answer.fit
    assert law is not None
    return fit.x[:, 0], PER_CENT * (law.at(fit.x) / fit.y - 1)
