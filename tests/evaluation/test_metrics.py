"""Scoring maths, against scikit-learn, torch and brute force."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from evaluation.encoder import Encoder, Features
from evaluation.evaluators.classification import ZeroShotClassification, accuracy, mean_per_class_recall
from evaluation.evaluators.losses import HeldOutLoss, contrastive_loss
from evaluation.evaluators.retrieval import Retrieval, places_of_best
from evaluation.evaluators.ties import hit_rate
from evaluation.testset import TestSet
from sweeps.errors import NotFinite
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


class Lookup(torch.nn.Module):
    """A model whose features are given: an image names its row by its first pixel."""

    def __init__(self, images: Features, texts: dict[str, Features], scale: float = 10.0) -> None:
        super().__init__()
        self.given, self.texts = torch.from_numpy(images), texts
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(scale)))

    def encode_image(self, images: torch.Tensor, normalize: bool) -> torch.Tensor:
        rows = torch.round((images[:, 0, 0, 0] * 0.26862954 + 0.48145466) * 255).long()
        return self.given[rows]

    def encode_text(self, tokens: torch.Tensor, normalize: bool) -> torch.Tensor:
        names = list(self.texts)
        return torch.from_numpy(np.stack([self.texts[names[i]] for i in tokens[:, 0].tolist()]))

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[list(self.texts).index(text)] for text in texts])


def encoder(images: Features, texts: dict[str, Features]) -> Encoder:
    model = Lookup(images, texts)
    return Encoder(model, model.tokenize, torch.device("cpu"))


def numbered_images(count: int) -> np.ndarray:
    images = np.zeros((count, 2, 2, 3), dtype=np.uint8)
    images[..., 0] = np.arange(count)[:, None, None]
    return images


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
