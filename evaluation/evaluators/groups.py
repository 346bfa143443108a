"""Zero-shot classification of data whose images fall into groups: WILDS' and DataComp's own metrics."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evaluation.encoding.encoder import Encoder
from evaluation.evaluators.classification import Labels, Scores, class_scores, hits, metrics_of
from evaluation.sets.layout import CLASSES, TEMPLATES
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError


def macro_f1(scores: Scores, labels: Labels) -> float:
    """Return the mean over the classes present of the harmonic mean of precision and recall."""
    guesses = scores.argmax(axis=1)
    found = []
    for label in np.unique(labels):
        is_it, is_guessed = labels == label, guesses == label
        found.append(2 * (is_it & is_guessed).sum() / (is_it.sum() + is_guessed.sum()))
    return float(np.mean(found))


def worst_group(values: NDArray[np.float64], groups: Labels) -> float:
    """Return the mean of `values` over the group where it is least; both of shape (n,)."""
    return float(min(values[groups == group].mean() for group in np.unique(groups)))


class MacroF1:
    """Zero-shot classification, and the macro F1 of WILDS (arXiv:2012.07421): DataComp's iWildCam."""

    files = (CLASSES, TEMPLATES)

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield the metrics of zero-shot classification, and F1-macro_all."""
        scores = class_scores(model, data)
        yield from metrics_of(scores, data)
        yield "F1-macro_all", macro_f1(scores, data.labels)


class WorstGroup:
    """Zero-shot classification, and the accuracy in the worst of the groups that images belong to.

    As in DataComp every group counts that has an image, also FMoW's "Other" with its four: that is why
    published scores there are often exactly 0.

    Args:
        metric: its name.
        field: number of the field of `.npy` that says the group.
        k: how many guesses count.
    """

    files = (CLASSES, TEMPLATES)

    def __init__(self, metric: str, field: int, k: int = 1) -> None:
        self._metric, self._field, self._k = metric, field, k

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield the metrics of zero-shot classification, and that of the worst group.

        Raises:
            DataError: the images have no such field.
        """
        if data.groups.ndim != 2 or data.groups.shape[1] <= self._field:
            raise DataError(f"{self._metric}: the images have no field {self._field} in a .npy")
        scores = class_scores(model, data)
        yield from metrics_of(scores, data)
        yield self._metric, worst_group(hits(scores, data.labels, self._k), data.groups[:, self._field])
