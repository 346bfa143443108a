"""Linear probe: logistic regression on the features of images, whose encoder stays as it is."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from evaluation.encoding.encoder import Encoder, Features
from evaluation.evaluators.classification import Labels, Scores, accuracy, mean_per_class_recall
from evaluation.evaluators.labels import learnable
from evaluation.sets.layout import TRAIN
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError, UsageError
from sweeps.text import plural

log = logging.getLogger(__name__)

STRENGTHS = np.logspace(-8, 0, 49)
"""Strengths of the L2 penalty on mean losses of unit vectors, among which one is chosen."""
STRIDE = 8
"""Every eighth is tried, then what lies halfway to the neighbours of the best, and so on."""

MOST_HELD_OUT_SHOTS = 4
"""Images of a class that few shots are chosen by (Zhou et al. 2022, arXiv:2109.01134)."""

ROWS_AT_ONCE = 4096
"""Examples whose features are in float64 together."""

SHORT_OF_OPTIMUM = "no optimum at an L2 strength of %.2g: a derivative of %.1g is above %.1g (%s)"

Weights = NDArray[np.float64]
"""Of each class for each feature, and its bias at the end: shape (classes, embedding + 1)."""


class LinearProbe:
    """Learns classes from the training split by all its images or `shots` of each class.

    The L2 strength is that of the best accuracy on training images that were held out: a tenth of them,
    or as many of each class as there are shots, at most 4. With all images the last fit is on the held
    out ones too. The optimum is that of scikit-learn's LogisticRegression with C = 1 / (strength · n).

    Args:
        shots: images of each class; all without it.
        seed: decides which are shown and which are held out.

    Raises:
        UsageError: `shots` is less than one.
    """

    files = (TRAIN,)

    def __init__(self, shots: int | None = None, seed: int = 0) -> None:
        if shots is not None and shots < 1:
            raise UsageError(f"shots={shots} are none to learn from; all images are shown without it")
        self._shots, self._seed = shots, seed

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield lp_acc1, lp_acc5 (from 5 classes on), lp_mean_per_class_recall and the strength lp_l2.

        Raises:
            DataError: as `learnable`, or there are too few images of a class to learn from.
        """
        train = learnable(data)
        count = int(max(data.labels.max(), train.labels.max())) + 1
        shown, held_out = split(train.labels, self._shots, self._seed)
        features = model.images(train)
        picked = Examples(features[shown], train.labels[shown], count)
        probe = Prober(picked, model.device, model.pulse)
        strength = probe.best_strength(Examples(features[held_out], train.labels[held_out], count))
        if self._shots is None:
            probe = Prober(Examples(features, train.labels, count), model.device, model.pulse)
        scores = scores_of(probe.fit(strength), model.images(data))
        yield "lp_acc1", accuracy(scores, data.labels, 1)
        if count >= 5:
            yield "lp_acc5", accuracy(scores, data.labels, 5)
        yield "lp_mean_per_class_recall", mean_per_class_recall(scores, data.labels)
        yield "lp_l2", strength


@dataclass(frozen=True, slots=True)
class Examples:
    """Features and labels to learn from or to be tested by."""

    features: Features
    labels: Labels
    num_classes: int


def split(labels: Labels, shots: int | None, seed: int) -> tuple[Labels, Labels]:
    """Return which images are shown and which are held out, as ascending numbers.

    Without `shots` the image of a class that has no other is shown.

    Raises:
        DataError: a class has too few for `shots`; or no class has two images.
    """
    random = np.random.default_rng(seed)
    shown, held_out = [], []
    for label in np.unique(labels):
        own = random.permutation(np.flatnonzero(labels == label))
        kept = min(shots, MOST_HELD_OUT_SHOTS) if shots else min(max(1, len(own) // 10), len(own) - 1)
        taken = shots or len(own) - kept
        if len(own) < taken + kept:
            raise DataError(f"class {label} has {plural(len(own), 'image')} to learn from: too few")
        shown.append(own[:taken])
        held_out.append(own[taken : taken + kept])
    if not sum(map(len, held_out)):
        raise DataError("no class has two images to learn from, of which one could be held out")
    return np.sort(np.concatenate(shown)), np.sort(np.concatenate(held_out))


def scores_of(weights: Weights, features: Features) -> Scores:
    """Return the scores of all classes, shape (n, classes)."""
    scores: Scores = (features @ weights[:, :-1].T + weights[:, -1]).astype(np.float32)
    return scores


class Prober:
    """Fits one set of examples at several strengths; each fit starts from the one before.

    Features stay in float32, losses are computed in float64: in float32 their noise hides the optimum.
    `pulse` is called whenever the loss is computed.
    """

    def __init__(
        self, examples: Examples, device: torch.device, pulse: Callable[[], None] = lambda: None
    ) -> None:
        self._pulse = pulse
        features = torch.from_numpy(examples.features).to(device)
        self._features = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
        self._labels = torch.from_numpy(examples.labels).to(device)
        self._shape = (examples.num_classes, self._features.shape[1])
        self._weights = np.zeros(self._shape)

    def best_strength(self, held_out: Examples) -> float:
        """Return the strength of the best accuracy on what is held out; of equal ones the strongest."""
        found: dict[int, tuple[float, int]] = {}
        stride, tried = STRIDE, list(range(0, len(STRENGTHS), STRIDE))
        while stride:
            for place in sorted(set(tried) - set(found), reverse=True):
                scores = scores_of(self.fit(STRENGTHS[place], 1e-4), held_out.features)
                found[place] = (accuracy(scores, held_out.labels, 1), place)
            best = max(found.values())[1]
            stride //= 2
            tried = [p for p in (best - stride, best + stride) if 0 <= p < len(STRENGTHS)]
        log.info("L2 strength %.2g: %.4f of what was held out", STRENGTHS[best], found[best][0])
        return float(STRENGTHS[best])

    def fit(self, strength: float, tolerance: float = 1e-6) -> Weights:
        """Return the weights of least loss: no derivative is larger than `tolerance` there.

        Where it is all the same, that is logged.
        """
        done = minimize(
            self._loss,
            self._weights.ravel(),
            args=(strength,),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 2000, "maxcor": 20, "gtol": tolerance, "ftol": 0.0},
        )
        if (largest := float(np.abs(done.jac).max())) > tolerance:
            log.warning(SHORT_OF_OPTIMUM, strength, largest, tolerance, done.message)
        self._weights = done.x.reshape(self._shape)
        return self._weights

    def _loss(self, flat: Weights, strength: float) -> tuple[float, Weights]:
        """Return the mean loss with its penalty, which spares the biases, and the gradient."""
        self._pulse()
        weights = torch.from_numpy(flat.reshape(self._shape)).to(self._features.device)
        sloped = weights.clone()
        sloped[:, -1] = 0
        loss = strength / 2 * sloped.square().sum()
        gradient = strength * sloped
        for first in range(0, len(self._labels), ROWS_AT_ONCE):
            rows = self._features[first : first + ROWS_AT_ONCE].double()
            right = self._labels[first : first + ROWS_AT_ONCE, None]
            logs = torch.log_softmax(rows @ weights.T, dim=1)
            loss = loss - logs.gather(1, right).sum() / len(self._labels)
            chances = logs.exp_().scatter_add_(1, right, -logs.new_ones(len(right), 1))
            gradient += chances.T @ rows / len(self._labels)
        return float(loss), gradient.cpu().numpy().ravel()
