"""From tables to laws, figures and reports."""

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.laws import Law, law_json, laws_of
from analysis.plot import as_svg, scaling_figure
from analysis.report import write_report
from evaluation.select import filtered, quantity
from sweeps.errors import UsageError
from tests.commands import run


def table(num_runs: int = 9) -> pd.DataFrame:
    """Two data sets, one eval with an accuracy and one with a loss."""
    rows = []
    for data, alpha in (("clean", -0.4), ("noisy", -0.1)):
        for number, compute in enumerate(np.geomspace(10, 1000, num_runs)):
            shared = {
                "checkpoint": f"{data}{number}@640",
                "model": f"M{number % 3}",
                "samples_seen": 640 * (number + 1),
                "gflops_total": compute,
                "pretrain_dataset": data,
                "downstream_dataset": "shapes",
            }
            error = 0.9 * compute**alpha
            rows.append({**shared, "eval": "zeroshot_classification", "acc1": 1 - error})
            rows.append({**shared, "eval": "contrastive_loss", "contrastive_loss": 3 * error})
    return pd.DataFrame(rows)


def laws() -> list[Law]:
    return laws_of(table(), num_resamples=50)


def test_there_is_a_law_for_each_measure_and_data_set() -> None:
    found = {(law.measure.y, law.group): law.fit.law for law in laws()}
    assert len(found) == 4
    assert {round(law.alpha, 6) for (_, group), law in found.items() if law and group == "clean"} == {
        -0.4
    }


def test_a_law_reads_as_one_sentence() -> None:
    sentence = laws()[0].sentence()
    assert sentence.startswith("contrastive loss on shapes, clean: E = 2.7 · C^-0.400, alpha in [-0.4")
    assert sentence.endswith("9 of 9 runs on the frontier, R² 1.00")


def test_a_law_as_data_says_which_runs_it_rests_on() -> None:
    data = law_json(laws()[-1])
    assert (data["group"], data["y"]) == ("noisy", "error:acc1")
    assert [row["checkpoint"] for row in data["frontier"]] == [f"noisy{n}@640" for n in range(9)]
    assert json.dumps(data, allow_nan=False)


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no column 'gflops'. did you mean gflops_total"):
        laws_of(table(), x="gflops")


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ({"model": "M0"}, 12),
        ({"model": ["M0", "M1"]}, 24),
        ({"gflops_total": {"min": 100}}, 20),
        ({"gflops_total": {"min": 50, "max": 500}, "pretrain_dataset": "clean"}, 8),
    ],
)
def test_filters(where: dict[str, object], left: int) -> None:
    assert len(filtered(table(), where)) == left


def test_filters_that_leave_nothing_are_refused(tmp_path: Path, root: Path) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    done = run("analysis", "fit", f"table={tmp_path}/t.csv", "where.model=M9", root=root)
    assert (done.returncode, "no row is left with {'model': 'M9'}" in done.stderr) == (2, True)


def test_an_error_is_one_minus_its_column() -> None:
    frame = pd.DataFrame({"acc1": [0.25]})
    assert quantity(frame, "error:acc1").tolist() == [0.75]
    assert quantity(frame, "acc1").tolist() == [0.25]


def test_the_figure_is_the_same_twice_and_is_svg() -> None:
    one, two = (as_svg(scaling_figure(laws())) for _ in range(2))
    assert one == two
    assert ET.fromstring(one).tag.endswith("svg")
    assert "clean: C^-0.40" in one


class Page(HTMLParser):
    """Collects what a page would ask the network for, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.requests: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.requests += [
            v or "" for k, v in attrs if k in ("src", "href") and not (v or "").startswith("#")
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_page_that_needs_no_network(tmp_path: Path) -> None:
    files = write_report(tmp_path, "Laws of <test>", laws(), "python -m analysis fit root=r")
    page = Page(files.html.read_text())
    assert page.requests == []
    assert "Laws of <test>" in page.text
    assert "python -m analysis fit root=r" in page.text
    assert files.markdown.read_text().count("E = ") == 4 + 1
    assert len(json.loads(files.json.read_text())["fits"]) == 4
    assert files.png.read_bytes()[:4] == b"\x89PNG"


def test_the_command_line_fits_any_table(tmp_path: Path, root: Path) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    words = [f"table={tmp_path}/t.csv", "y=error:acc1", "where.pretrain_dataset=clean", "bootstrap=20"]
    done = run("analysis", "fit", *words, "format=json", root=root)
    assert done.returncode == 0, done.stderr
    (fit,) = json.loads(done.stdout)["fits"]
    assert fit["params"]["alpha"] == pytest.approx(-0.4)
    assert "1 − acc1 on shapes, clean: E = 0.9" in run("analysis", "fit", *words, root=root).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no sweep was launched under"),
        (["root=/none", "table=/none.csv"], "give root=DIR (our results table) or table=FILE"),
        (["table=/none.csv"], "table=/none.csv: there is no such file"),
        (["root=/none"], "no sweep was launched under /none; give root=DIR"),
        (["root=/none", "sweep=x"], "sweep 'x' was never launched under /none"),
        (["rooot=/none"], "no argument 'rooot'. did you mean root"),
        (["root"], "'root' is no key=value"),
        (["root=/none", "bootstrap=many"], "Expected `int`, got `str` - at `$.bootstrap`"),
    ],
)
def test_bad_arguments_are_one_line(words: list[str], message: str, root: Path) -> None:
    done = run("analysis", "fit", *words, root=root)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not root.exists()


def test_an_unknown_command_is_named_with_the_known_ones(root: Path) -> None:
    done = run("analysis", "fitt", root=root)
    assert (done.returncode, "did you mean fit?" in done.stderr) == (2, True)
