"""The report: one HTML page that needs nothing else, Markdown, JSON and the figures as SVG and PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from analysis.answers.compare import Verdict, verdicts
from analysis.answers.laws import Answer
from analysis.answers.measures import quantity_name
from analysis.figures.comparison import comparison_figure
from analysis.figures.curves import curves_figure
from analysis.figures.residuals import residual_figure
from analysis.figures.runs import runs_figure
from analysis.figures.scaling import scaling_figure
from analysis.figures.sizes import sizes_figure
from analysis.figures.style import as_png, as_svg, measures_of
from analysis.questions.question import Question
from analysis.questions.units import unit
from analysis.reports.plain import answer_json, encoded, verdict_json
from analysis.reports.reproduce import command, compare_command, fit_command
from analysis.reports.text import contest_line, method, points_lines
from evaluation.results.select import quantity
from sweeps import durable
from sweeps.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates"
CAPTIONS = {
    "law": "All runs faint, those on the frontier solid, held-out ones hollow. Bands are intervals. "
    "Dotted laws have warnings, dashed ones reach beyond their points.",
    "sizes": "All runs, held-out ones hollow, and the law for each of them. Bands are intervals.",
    "comparison": "Differences between groups, with intervals. Grey is not decided.",
    "runs": "All runs: colour is the group, the marker the model, its size the samples seen.",
    "curves": "Learning curves: the checkpoints of each run.",
    "residuals": "How far each law is above the points that it rests on.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a report tells: answers, and all checkpoints of the runs, if known; `words` asked for it.

    `warnings`: what is to be said of the whole table.
    """

    title: str
    answers: Sequence[Answer]
    checkpoints: pd.DataFrame | None
    words: Sequence[str]
    warnings: Sequence[str] = ()

    @property
    def question(self) -> str:
        """What was asked, in a sentence."""
        asked = self.answers[0].question
        what = list(dict.fromkeys(quantity_name(one.y) for one in measures_of(self.answers)))
        named = ", ".join(what[:-1]) + (" and " if len(what) > 1 else "") + what[-1]
        which = f", and which {asked.group} is best" if asked.group else ""
        return (
            f"How do{'' if len(what) > 1 else 'es'} {named} change with {' and '.join(asked.x)}{which}?"
        )

    def lines(self) -> list[str]:
        """Return each law in one line, and what is to be said of the whole table."""
        return [*(answer.sentence() for answer in self.answers), *self.warnings]

    def verdicts(self) -> list[Verdict]:
        """Return the verdict on each pair of groups, if there are two and they were resampled."""
        groups = {answer.group for answer in self.answers}
        recipe = self.answers[0].fit.recipe
        if len(groups) < 2 or not recipe.num_resamples or recipe.shape.num_inputs > 1:
            return []
        return verdicts([("", answer) for answer in self.answers], recipe.level)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFiles:
    """What was written; `figures` by name, as SVG; a PNG lies beside each."""

    html: Path
    markdown: Path
    json: Path
    figures: dict[str, Path]


def write_report(folder: Path, findings: Findings) -> ReportFiles:
    """Write a report into a folder.

    Raises:
        UsageError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"no report can be written to {folder}: {error.strerror}") from error
    found = findings.verdicts()
    svgs = _write_figures(folder, findings, found)
    files = ReportFiles(
        html=folder / "law.html",
        markdown=folder / "law.md",
        json=folder / "law.json",
        figures={name: folder / _file(name) for name in svgs},
    )
    data = {
        "fits": [answer_json(answer) for answer in findings.answers],
        "verdicts": [verdict_json(one) for one in found],
        "warnings": findings.warnings,
    }
    durable.replace(files.json, encoded(data).encode())
    for path in (files.html, files.markdown):
        durable.replace(path, _render(path, findings, found, svgs).encode())
    return files


def points_table(answer: Answer) -> pd.DataFrame:
    """Return the runs that a law was offered, by compute; `frontier` marks those that it rests on."""
    points, x = answer.points, answer.question.x[0]
    known = [name for name in ("model", "samples_seen", *answer.question.x) if name in points.columns]
    shown = points[list(dict.fromkeys(known))].reset_index(drop=True)
    shown[quantity_name(answer.measure.y)] = quantity(points, answer.measure.y).to_numpy()
    shown["on the frontier"] = ["yes" if row in set(answer.fit.rows) else "" for row in shown.index]
    return shown.sort_values(x)


def shown_cell(value: object) -> str:
    """Return a value of that table as text."""
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer() and value < 1e15):
        return f"{int(value):,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def heldout_text(answer: Answer) -> str:
    """Return how a law does on held-out points, in words, for each threshold."""
    every = (*([answer.heldout] if answer.heldout else []), *answer.rolling)
    return ", ".join("none" if one.rmse is None else f"{one.rmse:.3g} ({len(one.y)})" for one in every)


def heldout_note(question: Question) -> str:
    """Return what is held out, in a sentence, or nothing."""
    if not question.thresholds:
        return ""
    (column,) = question.x if len(question.x) == 1 else ("compute",)
    above = ", ".join(f"{threshold:.3g}" for threshold in question.thresholds)
    return (
        f"Held-out RMSE: of a fit to the runs up to {above}{unit(column)}, on the frontier of those "
        "above (so many points)."
    )


def _write_figures(folder: Path, findings: Findings, found: Sequence[Verdict]) -> dict[str, str]:
    """Draw and write all figures that there are; return their SVG by name."""
    answers = [answer for answer in findings.answers if len(answer.points)]
    measures = measures_of(answers)
    one_input = answers[0].fit.recipe.shape.num_inputs == 1
    figures = {
        "law": scaling_figure(answers) if one_input else None,
        "sizes": None if one_input else sizes_figure(answers),
        "comparison": comparison_figure(found),
        "runs": runs_figure(answers) if one_input else None,
        "curves": None
        if findings.checkpoints is None
        else curves_figure(findings.checkpoints, measures),
        "residuals": residual_figure(answers) if one_input else None,
    }
    drawn = {name: figure for name, figure in figures.items() if figure is not None}
    svgs = {name: as_svg(figure) for name, figure in drawn.items()}
    for name, figure in drawn.items():
        durable.replace(folder / _file(name), svgs[name].encode())
        durable.replace((folder / _file(name)).with_suffix(".png"), as_png(figure))
    return svgs


def _file(name: str) -> str:
    return "law.svg" if name == "law" else f"law-{name}.svg"


def _render(path: Path, findings: Findings, found: Sequence[Verdict], svgs: dict[str, str]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=path.suffix == ".html",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    answers, words = findings.answers, findings.words
    return environment.get_template(f"{path.name}.jinja").render(
        findings=findings,
        answers=answers,
        verdicts=found,
        svgs=svgs,
        captions=CAPTIONS,
        files={name: _file(name) for name in svgs},
        method=method(answers[0]),
        data=points_lines(answers),
        commands={answer.name: fit_command(answer, words) for answer in answers},
        compare_command=compare_command(answers, words) if found else "",
        report_command=command("report", words),
        points_table=points_table,
        shown_cell=shown_cell,
        contest_line=contest_line,
        heldout_text=heldout_text,
        heldout_note=heldout_note(answers[0].question),
    )
