"""Figures and the report."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.answers.laws import laws_of
from analysis.figures.scaling import scaling_figure
from analysis.figures.style import as_svg, legend_below, panels
from analysis.fitting.recipe import Recipe
from analysis.questions.question import Question
from analysis.reports.report import Findings, ReportFiles, write_report
from analysis.reports.sweep_report import with_threshold
from sweeps.errors import UsageError
from tests.analysis.points import TRUTHS
from tests.analysis.tables import two_groups
from tests.browser import opened

QUESTION = Question(
    group="pretrain_dataset", rolling=(300.0,), recipe=Recipe(frontier="none", num_resamples=40)
)
WORDS = ("root=r", "sweep=<test>", "rolling=300")
FIGURES = {"law", "comparison", "runs", "curves", "residuals"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    return write_report(tmp_path_factory.mktemp("report"), findings())


def findings() -> Findings:
    every = two_groups()
    answers = laws_of(every[every["final"]], QUESTION)
    return Findings(title="Laws of <test>", answers=answers, checkpoints=every, words=WORDS)


def test_the_figure_is_the_same_twice_and_is_svg() -> None:
    one, two = (as_svg(scaling_figure(findings().answers)) for _ in range(2))
    assert one == two
    assert ET.fromstring(one).tag.endswith("svg")
    assert "clean: exponent -0.40" in one


def test_runs_are_drawn_with_their_law_and_what_sizes_of_markers_mean(files: ReportFiles) -> None:
    drawn = "".join(ET.fromstring(files.figures["runs"].read_text()).itertext())
    assert "640 samples" in drawn
    assert "5.76e+03 samples" in drawn
    assert "C^" not in drawn  # exponents are raised


@pytest.mark.parametrize("num_panels", [1, 2])
def test_a_legend_has_room_below_its_panels(num_panels: int) -> None:
    figure, _ = panels(num_panels)
    legend_below(figure, {f"ViT-L-14-{number}.5e+10 samples": {} for number in range(9)})
    as_svg(figure)
    ends = figure.legends[0].get_window_extent()
    assert (ends.x0 >= 0, ends.x1 <= figure.bbox.x1) == (True, True)


def test_a_single_run_is_drawn_and_said_to_make_no_law(tmp_path: Path) -> None:
    every = two_groups()
    one = every[every["final"]].head(1)
    answers = laws_of(one, Question(recipe=Recipe(frontier="none")))
    files = write_report(
        tmp_path, Findings(title="One run", answers=answers, checkpoints=one, words=WORDS)
    )
    assert "no fit: 1 run, 3 of distinct x are needed" in files.markdown.read_text()


def test_a_browser_shows_the_page_without_error_or_request(files: ReportFiles) -> None:
    page = opened(files.html)
    assert (page.console, page.requests) == ([], [])
    assert "Laws of &lt;test&gt;" in page.dom
    assert page.dom.count("</svg>") == len(FIGURES)
    assert "clean is better than noisy with scale" in page.dom
    assert "python -m analysis report root=r 'sweep=&lt;test&gt;' rolling=300" in page.dom


def test_the_report_answers_and_says_how_to_ask_again(files: ReportFiles) -> None:
    text = files.markdown.read_text()
    assert "contrastive loss on shapes: clean is better; at 1e+03 GFLOPs clean less noisy is -" in text
    assert "Held-out RMSE: " in text
    assert "curves of each" not in text
    again = "python -m analysis fit root=r 'sweep=<test>' rolling=300 bootstrap=40 y=error:acc1"
    where = "where.downstream_dataset=shapes where.eval=zeroshot_classification"
    assert f"{again} {where} where.pretrain_dataset=noisy" in text
    assert set(files.figures) == FIGURES
    for path in files.figures.values():
        assert path.name in text
        assert path.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"


def test_a_report_of_size_and_samples_shows_a_law_for_each_size(tmp_path: Path) -> None:
    (truth,) = (truth for truth in TRUTHS if truth.form == "chinchilla")
    frame = pd.DataFrame(truth.x, columns=["num_params", "samples_seen"])
    question = Question(
        x=("num_params", "samples_seen"), y="loss", holdout_above=1e19,
        recipe=Recipe(form="chinchilla", frontier="none"),
    )  # fmt: skip
    answers = laws_of(frame.assign(loss=truth.measured(0.01)[0]), question)
    made = write_report(tmp_path, Findings(title="t", answers=answers, checkpoints=None, words=()))
    assert set(made.figures) == {"sizes"}
    assert "1e+10" in made.figures["sizes"].read_text()
    assert "law-sizes.svg" in made.markdown.read_text()
    assert "up to 1e+19, on the frontier of those above" in made.html.read_text()


def test_a_report_on_groups_that_share_an_exponent_has_an_answer(tmp_path: Path) -> None:
    rows = two_groups().query("final and eval == 'contrastive_loss'")
    answers = laws_of(rows, replace(QUESTION, shared=("alpha",)))
    made = write_report(tmp_path, Findings(title="t", answers=answers, checkpoints=None, words=WORDS))
    text = made.markdown.read_text()
    assert "clean is better than noisy with scale" in text
    assert "Intervals of 95% are percentiles over 40 resamples of the runs" in text


def test_the_report_as_data_has_fits_and_verdicts(files: ReportFiles) -> None:
    data = json.loads(files.json.read_text())
    assert len(data["fits"]) == 4
    assert [c["verdict"] for c in data["verdicts"][0]["comparisons"]] == ["clean", "clean"]


def test_a_report_holds_out_the_dearest_runs_unless_it_is_told_which() -> None:
    asked = with_threshold(two_groups(), Question(group="pretrain_dataset"))
    assert list(asked.rolling) == pytest.approx([5 * 200 ** (2 / 3)], rel=0.01)  # of 5 to 1000 GFLOPs
    assert with_threshold(two_groups(), QUESTION) == QUESTION


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="no report can be written to"):
        write_report(tmp_path / "file" / "report", findings())
