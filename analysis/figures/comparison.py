"""Two groups against each other: their difference along compute, or over many test sets at its end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.answers.compare import Verdict
from analysis.answers.contest import Contest
from analysis.arrays import Floats
from analysis.figures.style import GREY, STYLE, axis_label, legend_below, log_axes, panels, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS = 4
WIDTH, ROW_INCHES = 8.0, 0.24


@mpl.rc_context(STYLE)
def comparison_figure(verdicts: Sequence[Verdict]) -> Figure | None:
    """Return the differences of groups with their intervals; None where nothing could be compared.

    A panel for each comparison, if they are few, else a row.
    """
    contests = [one for verdict in verdicts for one in verdict.contests if one.differences]
    if not contests:
        return None
    return _rows(contests) if len(contests) > MOST_PANELS else _along_compute(contests)


def _along_compute(contests: Sequence[Contest]) -> Figure:
    figure, axes = panels(len(contests))
    looks = styles(name for one in contests for name in (one.one.group, one.other.group))
    for panel, contest in zip(axes, contests, strict=True):
        _draw(panel, contest, looks[contest.winner][0] if contest.winner else GREY)
    return figure


def _draw(panel: "Axes", contest: Contest, colour: str) -> None:
    values, lows, highs = _columns(contest)
    panel.axhline(0, color="black", lw=0.8)
    panel.fill_between(contest.x, lows, highs, color=colour, alpha=0.18, lw=0)
    panel.plot(contest.x, values, color=colour, lw=1.6)
    if contest.crossing is not None and contest.crossing.at.value is not None:
        at = contest.crossing.at.value
        if contest.x[0] <= at <= contest.x[-1]:
            panel.axvline(at, color=GREY, ls=":", lw=1)
    panel.set(
        title=_title(contest),
        xlabel=axis_label(contest.one.question.x),
        ylabel="difference",
    )
    _say_sides(panel, contest, _reach(values, np.maximum(np.abs(lows), np.abs(highs))))
    log_axes(panel, both=False)


def _reach(values: Floats, bounds: Floats) -> float:
    """Return how far from 0 to show: the curve, and its interval unless that is far wider elsewhere."""
    return float(max(np.abs(values).max(), np.median(bounds), bounds[-1]))


def _say_sides(panel: "Axes", contest: Contest, reach: float) -> None:
    """Write which side of 0 is whose."""
    panel.set_ylim(-1.25 * reach, 1.25 * reach)
    for place, align, name in ((0.98, "top", contest.other.group), (0.02, "bottom", contest.one.group)):
        panel.text(
            0.98, place, f"{name} is better", transform=panel.transAxes, ha="right", va=align,
            color=GREY, fontsize=8,
        )  # fmt: skip


def _rows(contests: Sequence[Contest]) -> Figure:
    """Return a row for each comparison, at the largest compute that both groups have."""
    ordered = sorted(contests, key=lambda one: one.differences[-1].value or 0.0, reverse=True)
    figure = Figure(figsize=(WIDTH, 1.2 + ROW_INCHES * len(ordered)), layout="constrained")
    panel = figure.subplots()
    looks = styles(name for one in ordered for name in (one.one.group, one.other.group))
    winners = {one.winner for one in ordered}
    pairs = list(dict.fromkeys(map(_pair, ordered)))
    is_one = len(pairs) == 1
    for row, contest in enumerate(ordered):
        value, low, high = (column[-1] for column in _columns(contest))
        colour = looks[contest.winner][0] if contest.winner else GREY
        panel.plot([low, high], [row, row], color=colour, lw=1.4)
        panel.plot([value], [row], color=colour, marker="o", ms=4)
    panel.axvline(0, color="black", lw=0.8)
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.set(
        yticks=range(len(ordered)), ylim=(-0.7, len(ordered) - 0.3),
        yticklabels=[_where(one) if is_one else _title(one).replace("\n", " ") for one in ordered],
        xlabel=f"{pairs[0] if is_one else 'difference'}, at the largest compute of both",
    )  # fmt: skip
    shown = {f"{name} is better": colour for name, (colour, _) in looks.items() if name in winners}
    shown |= {"not decided": GREY} if None in winners else {}
    legend_below(figure, {name: {"color": colour, "marker": "o"} for name, colour in shown.items()})
    return figure


def _title(contest: Contest) -> str:
    return f"{_where(contest)}:\n{_pair(contest)}"


def _where(contest: Contest) -> str:
    return contest.measure.title + (f", {contest.context}" if contest.context else "")


def _pair(contest: Contest) -> str:
    return f"{contest.one.group} less {contest.other.group}"


def _columns(contest: Contest) -> tuple[Floats, Floats, Floats]:
    found = np.array([(one.value, one.low, one.high) for one in contest.differences], dtype=np.float64)
    return found[:, 0], found[:, 1], found[:, 2]
