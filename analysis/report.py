"""The report on a sweep: one HTML page that needs nothing else, Markdown, JSON and the figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from analysis.laws import Answer
from analysis.plain import answer_json, encoded
from analysis.plot import as_png, as_svg, scaling_figure
from evaluation.select import quantity
from sweeps import durable
from sweeps.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFiles:
    """What was written."""

    html: Path
    markdown: Path
    json: Path
    svg: Path
    png: Path


def write_report(folder: Path, title: str, answers: Sequence[Answer], command: str) -> ReportFiles:
    """Write the report of `laws` into `folder`; `command` is what reproduces it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"no report can be written to {folder}: {error.strerror}") from error
    figure = scaling_figure(answers)
    svg = as_svg(figure)
    files = ReportFiles(
        html=folder / "law.html",
        markdown=folder / "law.md",
        json=folder / "law.json",
        svg=folder / "law.svg",
        png=folder / "law.png",
    )
    durable.replace(files.svg, svg.encode())
    durable.replace(files.png, as_png(figure))
    durable.replace(files.json, encoded({"fits": [answer_json(answer) for answer in answers]}).encode())
    for path in (files.html, files.markdown):
        text = _render(path, title=title, answers=answers, command=command, svg=svg)
        durable.replace(path, text.encode())
    return files


def points_table(answer: Answer) -> pd.DataFrame:
    """Return the runs that a law was offered, by compute; `frontier` marks those that it rests on."""
    points, x = answer.points, answer.question.x[0]
    shown = pd.DataFrame(
        {
            "model": points["model"].to_numpy(),
            "samples_seen": points["samples_seen"].to_numpy(),
            x: points[x].to_numpy(),
            "y": quantity(points, answer.measure.y).to_numpy(),
        }
    )
    shown["frontier"] = shown.index.isin(answer.fit.rows)
    return shown.sort_values(x)


def _render(path: Path, **values: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=path.suffix == ".html",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(f"{path.name}.jinja").render(points_table=points_table, **values)
