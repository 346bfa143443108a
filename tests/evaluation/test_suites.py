"""Suites are data, and have a mean where nothing is missing."""

from collections import Counter
from pathlib import Path

import pytest

from conf.schema import EvalConfig, EvalDatasetConfig, EvalSpec
from evaluation import results
from evaluation.evaluator import make_evaluator
from evaluation.results import inbox
from evaluation.suites import means
from sweeps.composing.compose import compose_part
from sweeps.errors import UsageError
from tests.evaluation.results.rows import row

SIZES = {
    "imagenet_robustness": 5,
    "vtab": 19,
    "vtab_plus": 36,
    "retrieval": 3,
    "datacomp38": 38,
    "sugarcrepe": 7,
    "winoground": 1,
    "segmentation": 1,
}


@pytest.mark.parametrize("name", SIZES)
def test_a_suite_names_sets_evaluators_and_what_counts(name: str) -> None:
    suite = compose_part("eval", EvalConfig, [f"eval={name}"])
    assert len(suite.evals) == len(suite.datasets) == SIZES[name]
    assert {spec.dataset for spec in suite.evals} == set(suite.datasets)
    assert all(make_evaluator(spec) for spec in suite.evals)


def test_datacomp_counts_each_member_by_its_own_metric() -> None:
    suite = compose_part("eval", EvalConfig, ["eval=datacomp38"])
    counts = Counter(spec.main_metric for spec in suite.evals)
    assert (counts["acc1"], counts["mean_per_class_recall"], counts["mean_recall@1"]) == (27, 4, 2)
    special = {spec.dataset: spec.main_metric for spec in suite.evals if counts[spec.main_metric] == 1}
    assert special == {
        "misc/winogavil": "jaccard_score_10-12",
        "wilds/iwildcam": "F1-macro_all",
        "wilds/fmow": "acc_worst_region",
        "fairness/dollar_street": "acc_top5_wg",
        "fairness/geode": "acc_wg",
    }


def spec(dataset: str, metric: str | None, version: int = 1) -> EvalSpec:
    return EvalSpec(_target_="x", name="e", dataset=dataset, main_metric=metric, version=version)


def test_the_mean_is_there_when_all_members_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    specs = (spec("a", "acc1"), spec("b", "recall", version=2), spec("c", None))
    suite = EvalConfig(
        name="s", datasets={name: EvalDatasetConfig(path=name) for name in "abc"}, evals=specs
    )

    def found(checkpoint: str, dataset: str, version: int, **metrics: float) -> None:
        one = row(
            checkpoint=checkpoint,
            eval="e",
            downstream_dataset=dataset,
            eval_version=version,
            metrics=metrics,
        )
        inbox.append(tmp_path / "results", f"{checkpoint}-{dataset}-{version}", [one])

    found("whole@1", "a", 1, acc1=0.2, recall=0.9)
    found("whole@1", "b", 2, recall=0.6)
    found("half@1", "a", 1, acc1=0.5)
    found("half@1", "b", 1, recall=0.6)
    found("half@1", "c", 1, acc1=0.6)
    table = means(results.load(tmp_path), suite).set_index("checkpoint")
    assert table["num_scores"].to_dict() == {"whole@1": 2, "half@1": 1}
    assert table.loc["whole@1", "mean"] == pytest.approx(0.4)
    assert table["mean"].isna().to_dict() == {"whole@1": False, "half@1": True}
    of_no_run = results.load(tmp_path).assign(run_id=None)
    assert means(of_no_run, suite)["num_scores"].tolist() == table["num_scores"].tolist()
    assert not caplog.messages
    wrong = EvalConfig(name="s", datasets={}, evals=(spec("a", "acc_1"), spec("b", "recall")))
    means(results.load(tmp_path), wrong)
    assert caplog.messages == ["e/a/v1: no row has its main_metric 'acc_1'"]
    with pytest.raises(UsageError, match="no main_metric|has a main_metric"):
        means(results.load(tmp_path), EvalConfig(name="s", datasets={}, evals=(spec("c", None),)))
