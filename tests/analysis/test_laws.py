"""From tables to laws, figures and reports."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import COMMANDS, USAGE, fit, predict
from analysis.answers.laws import Answer, laws_of
from analysis.fitting.recipe import Recipe
from analysis.forms import Sigmoid
from analysis.questions.question import Question
from analysis.reports.plain import answer_json, encoded
from evaluation.results.select import filtered, quantity
from sweeps.commands import run_command
from sweeps.errors import NothingToFit, UsageError
from tests.analysis.points import TRUTHS
from tests.analysis.tables import two_groups
from tests.commands import run


def table() -> pd.DataFrame:
    """The last checkpoints of two data sets."""
    every = two_groups()
    return every[every["final"]].reset_index(drop=True)


def laws() -> list[Answer]:
    return laws_of(table(), Question(group="pretrain_dataset", recipe=Recipe(num_resamples=50)))


@pytest.fixture
def file(tmp_path: Path) -> str:
    table().to_csv(tmp_path / "t.csv", index=False)
    return f"table={tmp_path}/t.csv"


def answered(capsys: pytest.CaptureFixture[str], command: Any, *words: str) -> Any:
    assert command([*words, "format=json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_there_is_a_law_for_each_measure_and_data_set() -> None:
    found = {(one.measure.y, one.group): one.fit.law for one in laws()}
    assert len(found) == 4
    clean = {
        round(law.params["alpha"], 6) for (_, group), law in found.items() if law and group == "clean"
    }
    assert clean == {-0.4}


def test_a_law_reads_as_one_sentence() -> None:
    sentence = laws()[0].sentence()
    assert sentence.startswith("contrastive loss on shapes, clean: E = 2.7 · C^-0.400, alpha in [-0.4")
    assert sentence.endswith("9 of 9 runs on the frontier, R² 1.00")


def test_a_law_as_data_says_which_runs_it_rests_on() -> None:
    data = json.loads(encoded(answer_json(laws()[-1])))
    assert (data["group"], data["y"]) == ("noisy", "error:acc1")
    assert [row["checkpoint"] for row in data["frontier"]] == [
        f"noisy{n}@{640 * (n + 1)}" for n in range(9)
    ]
    assert data["frontier"][0]["contrastive_loss"] is None


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no column 'gflops'. Did you mean gflops_total"):
        laws_of(table(), Question(x=("gflops",)))


def test_only_the_best_of_each_cell_is_offered_to_the_frontier() -> None:
    frame = pd.concat([table(), table().assign(acc1=lambda t: t["acc1"] - 0.1)], ignore_index=True)
    question = Question(y="error:acc1", best_per=("pretrain_dataset", "gflops_total"))
    (answer,) = laws_of(frame, question)
    assert len(answer.points) == 18
    assert answer.points["acc1"].min() > frame["acc1"].min()


def test_the_best_of_each_cell_is_found_on_each_side_of_a_threshold() -> None:
    compute = np.geomspace(1e3, 1e7, 16)
    frame = pd.DataFrame({"gflops_total": compute, "loss": compute**-0.3, "size": np.arange(16) % 4})
    question = Question(
        y="loss",
        best_per=("size",),
        holdout_above=1e5,
        rolling=(1e4, 1e6),
        recipe=Recipe(frontier="none"),
    )
    (answer,) = laws_of(frame, question)
    assert answer.points.index.tolist() == [4, 5, 6, 7]
    assert answer.fit.x[:, 0].tolist() == compute[4:8].tolist()
    assert answer.heldout is not None
    assert answer.heldout.x[:, 0].tolist() == compute[12:].tolist()
    assert [(one.num_fitted, len(one.y)) for one in answer.rolling] == [(4, 4), (4, 4)]
    assert answer.warnings == []


def test_runs_that_only_an_older_eval_scored_are_left_out_and_said() -> None:
    frame = table()[lambda t: t["acc1"].notna()]
    old, new = frame.assign(eval_version=1), frame.assign(eval_version=2)
    question = Question(y="error:acc1", recipe=Recipe(frontier="none"))
    (whole,) = laws_of(pd.concat([old, new], ignore_index=True), question)
    assert (len(whole.points), whole.left_out) == (18, [])
    (half,) = laws_of(pd.concat([old, new[:9]], ignore_index=True), question)
    assert len(half.points) == 9
    assert half.warnings[0] == "left out 9 of 18 runs: scored by an older version of the eval"


def test_a_table_whose_metrics_are_not_known_is_said_to_need_y() -> None:
    with pytest.raises(NothingToFit, match="no row has a main metric of the table: say y="):
        laws_of(pd.DataFrame({"gflops_total": [1.0], "miou": [0.3]}), Question())


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


@pytest.mark.parametrize("models", ["M9", "[M0,M9]"])
def test_a_text_that_no_row_has_is_refused(file: str, root: Path, models: str) -> None:
    done = run("analysis", "fit", file, f"where.model={models}", root=root)
    assert (done.returncode, "no row has where.model=M9. Did you mean M" in done.stderr) == (2, True)


def test_an_error_is_one_minus_its_column() -> None:
    frame = pd.DataFrame({"acc1": [0.25]})
    assert quantity(frame, "error:acc1").tolist() == [0.75]
    assert quantity(frame, "acc1").tolist() == [0.25]


def test_one_fit_is_one_object_and_groups_are_a_list(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (file, "y=error:acc1", "frontier=none")
    one = answered(capsys, fit, *words, "where.pretrain_dataset=clean")
    assert one["params"] == {"alpha": pytest.approx(-0.4), "beta": pytest.approx(0.9)}
    assert (one["residuals"], one["level"], one["num_points"], one["warnings"]) == ("log", 0.95, 9, [])
    assert one["interval"]["alpha"] == pytest.approx([-0.4, -0.4])
    assert "n−p = 7" in one["method"]
    groups = answered(capsys, fit, *words, "group=pretrain_dataset")["fits"]
    assert [found["group"] for found in groups] == ["clean", "noisy"]


def test_whole_numbers_beyond_64_bits_and_blanks_behind_commas_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{10**power}, {5 * 10 ** (-0.1 * power)}" for power in range(18, 25)]
    (tmp_path / "t.csv").write_text("\n".join(["gflops_total, loss", *rows]))
    found = answered(capsys, fit, f"table={tmp_path}/t.csv", "y=loss")
    assert found["params"] == {"alpha": pytest.approx(-0.1), "beta": pytest.approx(5)}


def test_a_prediction_has_its_interval_and_its_reach(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (file, "y=error:acc1", "where.pretrain_dataset=clean", "bootstrap=20", "at=100,10_000")
    found = answered(capsys, predict, *words, "holdout_above=500", "rolling=[100,300]")
    assert [one["value"] for one in found["predictions"]] == pytest.approx(
        [0.9 * 100**-0.4, 0.9 * 1e4**-0.4]
    )
    assert found["predictions"][1]["extrapolation"] == pytest.approx(1e4 / 10 ** (1 + 2 * 6 / 8))
    assert found["heldout"] == {"above": 500, "num_points": 2, "rmse": pytest.approx(0, abs=1e-9)}
    assert [one["num_fitted"] for one in found["rolling"]] == [5, 6]
    assert found["method"].startswith("bootstrap: percentiles of 20")


def test_a_law_of_size_and_samples_is_fitted_and_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (truth,) = (truth for truth in TRUTHS if truth.form == "chinchilla")
    frame = pd.DataFrame(truth.x, columns=["num_params", "samples_seen"])
    frame.assign(loss=truth.measured(0.001)[0]).to_csv(tmp_path / "t.csv", index=False, sep=";")
    words = (f"table={tmp_path}/t.csv", "x=num_params,samples_seen", "y=loss", "form=chinchilla")
    found = answered(capsys, predict, *words, "at=1e9,1e10")
    assert found["params"] == pytest.approx(truth.params, rel=0.1)
    assert (found["loss"], found["delta"], found["starts"]["agreeing"] > 1) == ("huber", 1e-3, True)
    (prediction,) = found["predictions"]
    assert prediction["low"] < prediction["value"] < prediction["high"]


def test_an_error_is_linked_to_the_loss_of_the_same_checkpoint() -> None:
    question = Question(
        x=("contrastive_loss",), y="error:acc1", recipe=Recipe(form="sigmoid", frontier="none")
    )
    (answer,) = laws_of(table(), question)
    assert answer.fit.law is not None
    assert answer.fit.x[:, 0] == pytest.approx(3 * answer.fit.y)
    assert answer.fit.law.rmse < 0.02
    falling = {"a": 0.5, "b": 0.1, "k": -2.0, "m": -1.5}
    assert Sigmoid().sentence(falling) == "y = 0.1 + 0.5 / (1 + exp(2 (x + 1.5)))"


def test_what_is_no_number_is_left_out_and_said() -> None:
    frame = table()[lambda t: t["acc1"].notna()].assign(
        acc1=lambda t: t["acc1"].where(t.index > 0, -np.inf)
    )
    (answer,) = laws_of(frame, Question(y="error:acc1", recipe=Recipe(frontier="none")))
    assert len(answer.points) == 17
    assert answer.warnings[0].startswith("left out 1 of 18 runs: no gflops_total above 0, or no finite")


def test_runs_without_a_group_or_a_cell_are_left_out_and_said() -> None:
    every = table()
    frame = every[every["acc1"].notna()].reset_index(drop=True)
    frame["model"] = frame["model"].where(frame.index > 1)
    recipe = Recipe(frontier="none")
    grouped = laws_of(frame, Question(y="error:acc1", group="model", recipe=recipe))
    assert [answer.warnings[0] for answer in grouped] == ["left out 2 of 18 runs: no model"] * 3
    (best,) = laws_of(frame, Question(y="error:acc1", best_per=("model",), recipe=recipe))
    assert best.warnings[0].startswith("left out 2 of 18 runs: no gflops_total above 0, or no finite")
    assert "; 3 runs, R² " in best.sentence()


def test_text_has_units_and_names_its_method(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict([file, "y=error:acc1", "form=best", "rolling=100,300", "at=1e5"]) == 0
    assert fit([file, "y=error:acc1", "rolling=10,1e6"]) == 0
    shown = capsys.readouterr().out
    assert "points, and no law of the " in shown
    assert "held out above 1e+06 GFLOPs: no run" in shown
    assert "1 − acc1 on shapes: E = " in shown
    assert "of gflops_total in GFLOPs" in shown
    assert "form chosen by held-out RMSE: power " in shown
    assert "t quantile at n−p" in shown
    assert shown.count("95% ones by the delta method hold the exponent 87% of the time") == 2
    assert "at 1e+05 GFLOPs: " in shown
    assert "100 times beyond the points" in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no sweep was launched under"),
        (["table=/none.csv", "holdout_above=x"], "Expected `float | null`, got `str`"),
        (["table=/none.csv", "form=best"], "say holdout_above=C or rolling=C,C"),
        (["table=/none.csv", "x=a,b"], "x=a,b names 2 columns, but form=power has 1 input"),
        (["table=/none.csv", "rolling=a"], "rolling=a: expected numbers"),
        (["table=/none.csv", "residuals=both"], "Invalid enum value 'both'"),
        (["table=/none.csv", "rolling=1e9,nan"], "above finite numbers above 0, not nan"),
        (["published=true", "table=/none.csv"], "give root=DIR (our results table) or table=FILE"),
        (["root=/none", "table=/none.csv"], "give root=DIR (our results table) or table=FILE"),
        (["table=/none.csv"], "table=/none.csv: there is no such file"),
        (["root=/none"], "no sweep was launched under /none; give root=DIR"),
        (["root=/none", "sweep=x"], "sweep 'x' was never launched under /none"),
        (["rooot=/none"], "no argument 'rooot'. Did you mean root"),
        (["root"], "'root' is no key=value"),
        (["root=/none", "bootstrap=many"], "bootstrap: Expected `int`, got `str`"),
    ],
)
def test_bad_arguments_are_one_line(
    words: list[str],
    message: str,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ISOGRID_ROOT", str(root))
    assert run_command(COMMANDS, ["fit", *words], USAGE) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert not root.exists()


def test_the_mean_over_a_suite_is_fitted_where_no_score_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = ["imagenetv2", "imagenet-a", "imagenet-r", "imagenet_sketch", "objectnet"]
    own = {"eval": "zeroshot_classification", "eval_version": 1, "seed": 0, "scored_at": 1.0}
    rows = [
        {**own, "checkpoint": f"c{run}", "model": f"M{run % 2}", "lr_scheduler": "cosine",
         "gflops_total": 10.0**run, "downstream_dataset": name,
         "acc1": 1 - 0.9 * 10 ** (-0.1 * run) + 0.01 * (place - 2)}
        for run in range(1, 8) for place, name in enumerate(sets)
    ]  # fmt: skip
    pd.DataFrame(rows[:-1]).to_csv(tmp_path / "t.csv", index=False)
    words = (f"table={tmp_path}/t.csv", "suite=imagenet_robustness", "frontier=none")
    found = answered(capsys, fit, *words, "where.downstream_dataset=imagenet_robustness")
    assert (found["y"], found["downstream_dataset"]) == ("error:mean", "imagenet_robustness")
    assert found["params"] == {"alpha": pytest.approx(-0.1), "beta": pytest.approx(0.9)}
    assert found["warnings"] == ["left out 1 of 7 runs: no gflops_total above 0, or no finite mean"]
    assert (found["frontier"][0]["lr_scheduler"], found["frontier"][0]["num_scores"]) == ("cosine", 5)
    pd.DataFrame(rows).query("downstream_dataset != 'objectnet'").to_csv(tmp_path / "t.csv")
    assert run_command(COMMANDS, ["fit", *words], USAGE) == 2
    assert "5 scores that count, of which no model has over 4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("fit y=error:acc1 where.gflops_total.max=15", "no fit: 1 of 2 runs make the frontier, 3"),
        ("fit y=error:acc1 holdout_above=1", "no run has at most 1; no fit: there is no run"),
        ("fit y=unknown", "there is nothing to fit: no row has a value of unknown"),
        ("fit y=error:acc1 group=unknown", "there is nothing to fit: no row has a unknown"),
        ("fit y=model", "the column 'model' does not hold numbers only: 'M0' in row 0"),
        ("predict y=error:acc1 at=1e3,nan", "at=nan is no finite number above 0"),
        ("compare y=error:acc1 form=chinchilla x=gflops_total,samples_seen", "along one column"),
        ("optimal y=error:acc1 at=1e9", "the table has no column 'num_params'"),
        (
            "optimal y=error:acc1 x=gflops_total,samples_seen flops=0 at=1e9",
            "flops=0, of one parameter",
        ),
        ("optimal y=error:acc1 x=gflops_total,samples_seen flops=6 at=inf", "at=C,C,…, finite numbers"),
        (
            "report y=error:acc1 group= x=below_0 out=report",
            "left out 18 of 18 runs: no below_0 above 0",
        ),
    ],
)
def test_what_has_no_answer_is_one_line_and_writes_nothing(
    asked: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = table().assign(below_0=lambda t: -t["gflops_total"], unknown=np.nan)
    frame[frame["acc1"].notna()].to_csv("t.csv", index=False)
    assert run_command(COMMANDS, [*asked.split(), "table=t.csv"], USAGE) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
