"""The 2023 study's laws (arXiv:2212.07143), from its own table by its own rules.

`openclip_imagenet.csv` has the ImageNet rows of `zeroshot_results.csv` in LAION-AI's repository.
Where the whole table is at hand, all the published figures are checked against it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import fit
from analysis.answers.laws import laws_of
from analysis.fitting.recipe import Recipe
from analysis.questions.question import Question
from sweeps.folders import CHECKOUT

RECORDED = Path(__file__).parent / "openclip_imagenet.csv"
TABLES = [folder / "shared/data/openclip/zeroshot_results.csv" for folder in CHECKOUT.parents]
PUBLISHED = next((path for path in TABLES if path.exists()), None)

IMAGENET = ("imagenet1k", "acc1", (-0.111388, 5.858059), (-0.163775, 23.183551))
STUDY = [
    IMAGENET,
    ("imagenet_robustness", "acc1", (-0.125541, 11.608666), (-0.237843, 211.659978)),
    ("mscoco_captions", "image_retrieval_recall@5", (-0.079434, 2.749720), (-0.050759, 1.588605)),
    ("flickr30k", "image_retrieval_recall@5", (-0.189157, 15.505964), (-0.102849, 2.208393)),
]
"""Test set, metric, (alpha, beta) of the models trained on LAION, and of OpenAI's on CLIP-WIT."""
LAION = "where.upstream_dataset=[LAION-80M,LAION-400M,LAION-2B]"
WIT = "where.upstream_dataset=CLIP-WIT"
SAMPLES = {"3B": 2_560_013_280, "13B": 13_034_626_688, "34B": 34_215_895_056}
"""For which the study's table of predictions takes each budget."""


def answered(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert fit(["x=gmacs_total", "format=json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def check(capsys: pytest.CaptureFixture[str], table: Path, row: Any, *where: str) -> None:
    _, metric, on_laion, on_wit = row
    for models, rule, published in ((LAION, "bins5", on_laion), (WIT, "none", on_wit)):
        words = (f"table={table}", f"y=error:{metric}", models, f"frontier={rule}", *where)
        found = answered(capsys, *words)
        assert found["params"] == pytest.approx(
            dict(zip(("alpha", "beta"), published, strict=True)), rel=1e-5
        )
        assert found["num_points"] == (3 if models == WIT else 5)


def test_the_recorded_rows_give_the_published_laws(capsys: pytest.CaptureFixture[str]) -> None:
    check(capsys, RECORDED, IMAGENET)


def test_a_frontier_point_is_at_the_centre_of_its_bin_and_knows_its_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = (f"table={RECORDED}", "y=error:acc1", LAION, "frontier=bins5")
    best = answered(capsys, *words)["frontier"][-1]
    assert (best["arch"], best["upstream_dataset"]) == ("ViT-H-14", "LAION-2B")
    assert best["y"] == pytest.approx(1 - best["acc1"])
    assert best["x"] < best["gmacs_total"]
    assert pd.read_csv(RECORDED, sep=";").loc[best["row"], "gmacs_total"] == best["gmacs_total"]


if PUBLISHED is not None:

    @pytest.mark.parametrize("row", STUDY, ids=lambda row: row[0])
    def test_the_study_s_table_gives_its_laws(row: Any, capsys: pytest.CaptureFixture[str]) -> None:
        assert PUBLISHED is not None
        check(capsys, PUBLISHED, row, f"where.downstream_dataset={row[0]}")

    @pytest.mark.parametrize(("row", "published"), [(STUDY[0], 0.874371), (STUDY[2], 0.588434)])
    def test_its_errors_on_the_points_that_shaped_the_fit(row: Any, published: float) -> None:
        frame = _table(row[0])
        frame = frame[frame["upstream_dataset"] != "CLIP-WIT"]
        question = Question(x=("gmacs_total",), y=f"error:{row[1]}", recipe=Recipe(frontier="bins5"))
        law = laws_of(frame, question)[0].fit.law
        assert law is not None
        cells = frame.groupby(["gmacs", "samples_seen_pretty"])[row[1]].max().reset_index()
        samples = cells["samples_seen_pretty"].map(SAMPLES).to_numpy(dtype=np.float64)
        errors = 1 - law.at(cells["gmacs"].to_numpy() * samples) - cells[row[1]].to_numpy()
        assert len(cells) == 11
        assert 100 * np.abs(errors).mean() == pytest.approx(published, abs=1e-6)

    def test_where_there_is_no_trend_it_is_said() -> None:
        frame = _table()
        frame = frame[frame["upstream_dataset"] != "CLIP-WIT"]
        question = Question(x=("gmacs_total",), y="error:acc1", recipe=Recipe(frontier="bins5"))
        answers = [answer for answer in laws_of(frame, question) if answer.fit.law]
        flat = [a for a in answers if a.fit.law and a.fit.law.params["alpha"] > -0.005]
        assert len(flat) == 9
        assert all(any("flat" in w or "rises" in w for w in answer.warnings) for answer in flat)


def _table(task: str | None = None) -> pd.DataFrame:
    assert PUBLISHED is not None
    frame = pd.read_csv(PUBLISHED)
    return frame if task is None else frame[frame["downstream_dataset"] == task]
