"""Zero-shot classification: metrics of class scores, and the evaluator that makes the scores."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evaluation.encoder import Encoder, Features
from evaluation.evaluators.ties import hit_rate
from evaluation.testset import TestSet


def accuracy(scores: NDArray[np.float32], labels: NDArray[np.int64], k: int) -> float:
    """Return the share of rows whose label is among the `k` highest scores; ties as `hit_rate` has it.

    Args:
        scores: shape (n, classes).
        labels: shape (n,).
        k: how many guesses count.
    """
    own = scores[np.arange(len(labels)), labels][:, None]
    above, tied = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return hit_rate(above, tied, np.ones_like(tied), k)


def mean_per_class_recall(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean over the classes present of the share of their rows that are recognised."""
    hits = scores.argmax(axis=1) == labels
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))


class ZeroShotClassification:
    """Classes as prompts: the mean over templates of a class's text features (arXiv:2103.00020)."""

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield acc1, acc5 (from 5 classes on) and mean_per_class_recall."""
        scores = model.images(data) @ class_features(model, data).T
        yield "acc1", accuracy(scores, data.labels, 1)
        if len(data.classes) >= 5:
            yield "acc5", accuracy(scores, data.labels, 5)
        yield "mean_per_class_recall", mean_per_class_recall(scores, data.labels)


def class_features(model: Encoder, data: TestSet) -> Features:
    """Return one unit vector a class, shape (classes, embedding)."""
    prompts = [t.replace("{c}", c) for c in data.classes for t in data.templates]
    features = model.texts(prompts).reshape(len(data.classes), len(data.templates), -1).mean(axis=1)
    unit: Features = features / np.linalg.norm(features, axis=1, keepdims=True)
    return unit
