"""Scoring maths, against scikit-learn, torch and brute force."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    jaccard_score,
    top_k_accuracy_score,
)

from evaluation.encoding.encoder import Encoder, Features
from evaluation.evaluator import Evaluator
from evaluation.evaluators.classification import (
    ZeroShotClassification,
    accuracy,
    mean_average_precision,
    mean_per_class_recall,
)
from evaluation.evaluators.groups import MacroF1, WorstGroup, macro_f1
from evaluation.evaluators.losses import HeldOutLoss, contrastive_loss
from evaluation.evaluators.retrieval import Retrieval, places_of_best
from evaluation.evaluators.selection import Association, CaptionSelection, jaccard, prompt
from evaluation.evaluators.ties import hit_rate
from evaluation.sets.testset import Instance, TestSet
from sweeps.errors import DataError, NotFinite
from tests.evaluation.lookup import encoder, numbered_images
from training.distributed import World
from training.procedures.contrast import softmax_contrast

RANDOM = np.random.default_rng(0)


def unit(rows: int, width: int = 16) -> Features:
    features = RANDOM.standard_normal((rows, width)).astype(np.float32)
    normed: Features = features / np.linalg.norm(features, axis=1, keepdims=True)
    return normed


def test_accuracy_is_scikit_learns() -> None:
    scores = RANDOM.standard_normal((500, 10)).astype(np.float32)
    labels = RANDOM.integers(0, 10, 500)
    for k in (1, 5):
        assert accuracy(scores, labels, k) == pytest.approx(top_k_accuracy_score(labels, scores, k=k))
    recall = mean_per_class_recall(scores, labels)
    assert recall == pytest.approx(balanced_accuracy_score(labels, scores.argmax(axis=1)))


def test_macro_f1_is_scikit_learns_over_the_classes_present() -> None:
    scores = RANDOM.standard_normal((300, 10)).astype(np.float32)
    labels = RANDOM.integers(0, 7, 300)
    guesses = scores.argmax(axis=1)
    theirs = f1_score(labels, guesses, average="macro", labels=np.unique(labels))
    assert macro_f1(scores, labels) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("decimals", [6, 1])
def test_mean_average_precision_is_scikit_learns_with_and_without_ties(decimals: int) -> None:
    scores = RANDOM.standard_normal((200, 6)).round(decimals).astype(np.float32)
    labels = (RANDOM.random((200, 6)) < 0.3).astype(np.int64)
    theirs = average_precision_score(labels, scores, average="macro")
    assert mean_average_precision(scores, labels) == pytest.approx(theirs, abs=1e-12)


def test_the_jaccard_index_is_scikit_learns() -> None:
    for size in (5, 10, 12):
        scores = RANDOM.standard_normal(size).astype(np.float32)
        associated = RANDOM.choice(size, size=3, replace=False)
        chosen = np.isin(np.arange(size), np.argsort(scores)[-3:])
        theirs = jaccard_score(np.isin(np.arange(size), associated), chosen)
        assert jaccard(scores, associated.tolist()) == pytest.approx(theirs)
    assert (prompt("Owl"), prompt("cat")) == ("An owl", "A cat")


def test_places_are_those_of_brute_force() -> None:
    queries, targets = unit(50), unit(2100)
    relevant = [RANDOM.choice(2100, size=3, replace=False) for _ in range(50)]
    above, tied, right_ones = places_of_best(queries, targets, relevant)
    assert (tied == 1).all()
    assert (right_ones == 1).all()
    for query, right, rank in zip(queries, relevant, above, strict=True):
        order = np.argsort(-(targets @ query), kind="stable").tolist()
        assert rank == min(order.index(number) for number in right)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_a_model_that_tells_nothing_apart_scores_what_chance_scores(k: int) -> None:
    labels = RANDOM.integers(0, 20, 100)
    assert accuracy(np.ones((100, 20), np.float32), labels, k) == pytest.approx(k / 20)
    same = np.ones((100, 1), np.float32)
    relevant = [np.array([n, (n + 1) % 100]) for n in range(100)]
    by_chance = 1 - math.comb(98, k) / math.comb(100, k)
    assert hit_rate(*places_of_best(same, same, relevant), k) == pytest.approx(by_chance)


def test_the_contrastive_loss_is_open_clips() -> None:
    images, texts = unit(32), unit(32)
    scale = torch.tensor(12.5)
    theirs = softmax_contrast(torch.from_numpy(images), torch.from_numpy(texts), scale, World())
    assert contrastive_loss(images, texts, 12.5) == pytest.approx(float(theirs), rel=1e-5)


def test_zero_shot_averages_templates() -> None:
    axes = np.eye(3, dtype=np.float32)
    texts = {"a cat": axes[0], "one cat": axes[1], "a dog": axes[2], "one dog": axes[2]}
    data = TestSet(numbered_images(3), np.array([0, 0, 1]), (), ("cat", "dog"), ("a {c}", "one {c}"))
    found = dict(ZeroShotClassification().run(encoder(axes, texts), data))
    assert found == {"acc1": 1.0, "mean_per_class_recall": 1.0}
    wrong = TestSet(numbered_images(3), np.array([0, 1, 1]), (), data.classes, data.templates)
    assert dict(ZeroShotClassification().run(encoder(axes, texts), wrong))["acc1"] == pytest.approx(
        2 / 3
    )


def in_groups(labels: list[int], groups: list[int], width: int = 6) -> tuple[Encoder, TestSet]:
    """Images that all look like class 0, of classes that no prompt mixes up."""
    axes = np.eye(width, dtype=np.float32)
    texts = {f"a {number}": axes[number] for number in range(width)}
    data = TestSet(
        numbered_images(len(labels)),
        np.array(labels),
        classes=tuple(map(str, range(width))),
        templates=("a {c}",),
        groups=np.array([[7, group] for group in groups]),
    )
    return encoder(np.stack([axes[0]] * len(labels)), texts), data


def test_the_worst_group_is_that_of_least_accuracy_and_each_with_an_image_counts() -> None:
    model, data = in_groups([0, 0, 1, 0, 0, 1], [2, 2, 2, 5, 5, 9])
    found = dict(WorstGroup(metric="acc_worst_region", field=1).run(model, data))
    assert found["acc_worst_region"] == 0.0
    assert found["acc1"] == pytest.approx(4 / 6)
    # Five classes are tied behind the first, of which four guesses take four.
    of_five = dict(WorstGroup(metric="acc_top5_wg", field=1, k=5).run(model, data))
    assert of_five["acc_top5_wg"] == pytest.approx(4 / 5)
    assert dict(MacroF1().run(model, data))["F1-macro_all"] == pytest.approx(0.8 / 2)
    with pytest.raises(DataError, match="no field 2"):
        list(WorstGroup(metric="acc_wg", field=2).run(model, data))


def test_several_labels_an_image_make_a_mean_average_precision_alone() -> None:
    axes = np.eye(3, dtype=np.float32)
    labels = np.array([[1, 0], [0, 1], [1, 0]])
    data = TestSet(numbered_images(3), labels, classes=("cat", "dog"), templates=("a {c}",))
    model = encoder(axes, {"a cat": axes[0], "a dog": axes[1]})
    # The first image stands alone before the two others, which are tied.
    found = dict(ZeroShotClassification().run(model, data))
    assert found == {"mean_average_precision": pytest.approx((1 / 2 + (1 / 2) * (2 / 3) + 1) / 2)}


@pytest.mark.parametrize(
    "kind", [ZeroShotClassification(), Retrieval(), CaptionSelection(), Association()]
)
def test_what_a_set_lacks_is_said(kind: Evaluator) -> None:
    with pytest.raises(DataError, match="needs"):
        list(kind.run(encoder(np.eye(2, dtype=np.float32), {}), TestSet(numbered_images(2))))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, -1], "has the label -1; classes count from 0"),
        ([0, 2], "labels of 3 classes and names of 2"),
        ([0, 2**63 - 1], f"labels of {2**63} classes and names of 2"),
        ([[0, 1], [2, 0]], "has 2 where 0 or 1 says whether an image is of a class"),
        ([[0, 1, 0], [1, 0, 0]], "labels of 3 classes and names of 2"),
    ],
)
def test_classes_that_do_not_fit_their_labels_are_refused(labels: list[Any], message: str) -> None:
    data = TestSet(numbered_images(2), np.array(labels), (), ("cat", "dog"), ("a {c}",))
    axes = np.eye(2, dtype=np.float32)
    model = encoder(axes, {"a cat": axes[0], "a dog": axes[1]})
    with pytest.raises(DataError, match=message):
        list(ZeroShotClassification().run(model, data))


def test_captions_are_chosen_among_hard_negatives() -> None:
    axes = np.eye(4, dtype=np.float32)
    texts = {"right": axes[0], "wrong": axes[1], "tied": axes[0]}
    data = TestSet(
        numbered_images(3), captions=(("right", "wrong"), ("right", "tied"), ("wrong", "right"))
    )
    model = encoder(axes[[0, 0, 0]], texts)
    assert dict(CaptionSelection().run(model, data)) == {"text_acc": pytest.approx(1 / 3)}


def test_winoground_asks_for_text_image_and_both() -> None:
    axes = np.eye(3, dtype=np.float32)
    texts = {"a": axes[0], "b": axes[1], "ab": axes[0] + 2 * axes[1], "c": axes[2]}
    data = TestSet(
        numbered_images(2),
        instances=(
            Instance(images=(0, 1), captions=("a", "b")),
            Instance(images=(1, 0), captions=("a", "b")),
            # Both images prefer "ab" to "c"; "ab" prefers its own.
            Instance(images=(1, 0), captions=("ab", "c")),
        ),
    )
    found = dict(CaptionSelection().run(encoder(axes[:2], texts), data))
    assert found == {
        "text_acc": pytest.approx(1 / 3),
        "image_acc": pytest.approx(1 / 3),
        "acc": pytest.approx(1 / 3),
    }


def test_associations_are_counted_by_the_number_of_candidates() -> None:
    images = np.eye(12, dtype=np.float32)
    data = TestSet(
        numbered_images(12),
        instances=(
            Instance(images=(0, 1, 2, 3, 4), captions=("cue",), associated=(1,)),
            Instance(images=tuple(range(12)), captions=("Eel",), associated=(2, 3)),
        ),
    )
    model = encoder(images, {"A cue": images[1], "An eel": images[2] + images[4]})
    assert dict(Association().run(model, data)) == {
        "avg_jaccard_score": pytest.approx((1 + 1 / 3) / 2),
        "jaccard_score_5-6": 1.0,
        "jaccard_score_10-12": pytest.approx(1 / 3),
    }


def test_retrieval_with_several_captions_an_image() -> None:
    axes = np.eye(4, dtype=np.float32)
    texts = {"a": axes[0], "b": axes[1], "c": axes[2], "d": axes[0], "e": axes[3]}
    captions = (("a", "b"), ("c",), ("d", "e"))
    data = TestSet(numbered_images(3), np.array([], dtype=np.int64), captions, (), ())
    images = np.stack([axes[0], axes[2], axes[3]])
    found = dict(Retrieval().run(encoder(images, texts), data))
    # "d" belongs to the third image, but says what the first shows as well as "a" does.
    assert found["text_retrieval_recall@1"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    # b is as near to its image as to the two others; d is nearer to another.
    assert found["image_retrieval_recall@1"] == pytest.approx((1 + 1 / 3 + 1 + 0 + 1) / 5)
    assert found["image_retrieval_recall@5"] == 1.0
    both = found["text_retrieval_recall@1"] + found["image_retrieval_recall@1"]
    assert found["mean_recall@1"] == pytest.approx(both / 2)


def test_the_held_out_loss_is_the_mean_over_whole_batches() -> None:
    images = unit(7)
    texts = {str(n): row for n, row in enumerate(unit(7))}
    captions = tuple((name,) for name in texts)
    data = TestSet(numbered_images(7), np.array([], dtype=np.int64), captions, (), ())
    (found,) = dict(HeldOutLoss(batch=3).run(encoder(images, texts), data)).values()
    rows = np.stack(list(texts.values()))
    parts = [contrastive_loss(images[i : i + 3], rows[i : i + 3], 10.0) for i in (0, 3)]
    assert found == pytest.approx(np.mean(parts), rel=1e-6)


def test_a_diverged_model_is_no_perfect_score() -> None:
    nan = np.full((3, 3), np.nan, dtype=np.float32)
    data = TestSet(numbered_images(3), np.array([0, 0, 1]), (), ("cat", "dog"), ("a {c}",))
    with pytest.raises(NotFinite, match="its training diverged"):
        list(ZeroShotClassification().run(encoder(nan, {"a cat": nan[0], "a dog": nan[0]}), data))
