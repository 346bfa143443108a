"""Our metrics are those that clip_benchmark computes, of which a recording lies beside this file."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.encoding.encoder import Encoder
from evaluation.evaluator import Evaluator
from evaluation.evaluators.classification import ZeroShotClassification, accuracy
from evaluation.evaluators.probe import Examples, LinearProbe, Prober, scores_of
from evaluation.evaluators.retrieval import Retrieval
from evaluation.evaluators.selection import CaptionSelection
from evaluation.sets.testset import load_test_set
from tests.evaluation import peer_sets
from training.distributed import World
from training.model import build_tokenizer

RECORD = json.loads(Path(__file__).with_name("clip_benchmark.json").read_text())


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The test sets of the recording."""
    sets = peer_sets.write_sets(tmp_path_factory.mktemp("sets"))
    other = "the weights or drawings are made differently now: run benchmarks/record_peers.py"
    assert peer_sets.digest(sets["classification"]) == RECORD["sha256"], other
    return sets


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The model of the recording."""
    return Encoder(peer_sets.model(), build_tokenizer(peer_sets.config()), World().device)


@pytest.mark.parametrize(
    ("what", "name", "evaluator"),
    [
        ("zeroshot_classification", "classification", ZeroShotClassification()),
        ("mean_average_precision", "multilabel", ZeroShotClassification()),
        ("zeroshot_retrieval", "captions", Retrieval()),
        ("image_caption_selection", "negatives", CaptionSelection()),
    ],
)
def test_metrics_are_clip_benchmarks(
    sets: dict[str, Path], encoder: Encoder, what: str, name: str, evaluator: Evaluator
) -> None:
    found = dict(evaluator.run(encoder, load_test_set(sets[name], 32)))
    theirs: dict[str, Any] = RECORD["values"][what]
    assert {name: found[name] for name in theirs if name in found} == pytest.approx(
        {name: value for name, value in theirs.items() if name in found}, abs=1e-6
    )
    assert set(theirs) - set(found) <= {"image_acc", "acc"}, "of one image each, these say nothing"


def test_a_linear_probe_is_as_good_as_theirs(sets: dict[str, Path], encoder: Encoder) -> None:
    theirs = RECORD["values"]["linear_probe"]
    data = load_test_set(sets["classification"], 32)
    train, count = data.train(), len(data.classes)
    prober = Prober(Examples(encoder.images(train), train.labels, count), encoder.device)
    for c, of_scikit_learn in theirs["sklearn"].items():
        weights = prober.fit(1 / (float(c) * len(train.labels)))
        ours = accuracy(scores_of(weights, encoder.images(data)), data.labels, 1)
        assert ours == pytest.approx(of_scikit_learn, abs=1.5 / len(data.labels))
    found = dict(LinearProbe().run(encoder, data))
    assert found["lp_acc1"] >= theirs["lp_acc1"] - 0.05
