"""Zero-shot classification: metrics of class scores, and the evaluators that make the scores."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evaluation.encoding.encoder import Encoder, Features
from evaluation.evaluators.labels import refuse_unlabelled
from evaluation.evaluators.ties import hit_chances
from evaluation.sets.layout import CLASSES, TEMPLATES
from evaluation.sets.testset import TestSet

Scores = NDArray[np.float32]
"""Of each image for each class, shape (n, classes)."""
Labels = NDArray[np.int64]


def hits(scores: Scores, labels: Labels, k: int) -> NDArray[np.float64]:
    """Return for each row the chance that its label is among the `k` highest scores, shape (n,).

    It is 0 or 1, except where scores are equal: `hit_chances`.
    """
    own = scores[np.arange(len(labels)), labels][:, None]
    above, tied = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return hit_chances(above, tied, np.ones_like(tied), k)


def accuracy(scores: Scores, labels: Labels, k: int) -> float:
    """Return the share of rows whose label is among the `k` highest scores."""
    return float(hits(scores, labels, k).mean())


def mean_per_class_recall(scores: Scores, labels: Labels) -> float:
    """Return the mean over the classes present of the share of their rows that are recognised."""
    right = scores.argmax(axis=1) == labels
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def mean_average_precision(scores: Scores, labels: Labels) -> float:
    """Return the mean over classes of average precision; a class without images counts 0.

    Equal scores are found together, at the precision that all of them have.

    Args:
        scores: shape (n, classes).
        labels: 0 or 1, shape (n, classes).
    """
    return float(np.mean([average_precision(s, t) for s, t in zip(scores.T, labels.T, strict=True)]))


def average_precision(scores: NDArray[np.float32], relevant: Labels) -> float:
    """Return the mean precision at the places of what is relevant; both of shape (n,)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    found = relevant[order].cumsum()[ends]
    gained = np.diff(found, prepend=0)
    return float((gained * found / (ends + 1)).sum() / max(found[-1], 1))


class ZeroShotClassification:
    """Classes as prompts: the mean over templates of a class's text features (arXiv:2103.00020)."""

    files = (CLASSES, TEMPLATES)

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield CLIP_benchmark's metrics by its names: `metrics_of`.

        Raises:
            DataError: as `class_scores`.
        """
        yield from metrics_of(class_scores(model, data), data)


def metrics_of(scores: Scores, data: TestSet) -> Iterator[tuple[str, float]]:
    """Yield acc1, acc5 (from 5 classes on) and mean_per_class_recall.

    Where an image may have several labels it is mean_average_precision alone.
    """
    if data.labels.ndim == 2:
        yield "mean_average_precision", mean_average_precision(scores, data.labels)
        return
    yield "acc1", accuracy(scores, data.labels, 1)
    if len(data.classes) >= 5:
        yield "acc5", accuracy(scores, data.labels, 5)
    yield "mean_per_class_recall", mean_per_class_recall(scores, data.labels)


def class_scores(model: Encoder, data: TestSet) -> Scores:
    """Return the scores of all images for all classes.

    Raises:
        DataError: the set has no classes, templates or labels, or more labels than classes.
    """
    refuse_unlabelled(data)
    scores: Scores = model.images(data) @ class_features(model, data).T
    return scores


def class_features(model: Encoder, data: TestSet) -> Features:
    """Return one unit vector a class, shape (classes, embedding)."""
    prompts = [t.replace("{c}", c) for c in data.classes for t in data.templates]
    features = model.texts(prompts).reshape(len(data.classes), len(data.templates), -1).mean(axis=1)
    unit: Features = features / np.linalg.norm(features, axis=1, keepdims=True)
    return unit
