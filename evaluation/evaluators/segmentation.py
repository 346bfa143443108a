"""Segmentation without training: each pixel gets the class whose prompts are nearest to its patch."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from evaluation.encoding.encoder import Encoder
from evaluation.evaluators.classification import class_features
from evaluation.sets.layout import CLASSES, TEMPLATES
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError
from training.data.decode import Pixels

AT_ONCE = 8
"""Images whose scores of all pixels for all classes are in memory together."""


class Segmentation:
    """Compares patches with texts, as arXiv:2506.04598 does on ADE20K.

    Images and masks are the squares that the model sees in other evals too, of its own size. Prompts
    are the set's classes in its templates, as for classification. Scores of patches are interpolated
    linearly to pixels. A mask's value is the number of a class; one beyond them (255) is background,
    whose pixels count nowhere, and a model can answer "background" only where that is a class.
    """

    files = (CLASSES, TEMPLATES)

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield miou, the mean over classes of intersection over union, and the share of right pixels.

        Raises:
            DataError: the set has no masks, classes or templates, all pixels of its masks are
                background, or the model has no patches.
        """
        if data.masks is None or not data.classes or not data.templates:
            raise DataError("segmentation needs masks, classes and templates, and the test set has not")
        texts = torch.from_numpy(class_features(model, data)).to(model.device)
        counts = np.zeros((len(data.classes), len(data.classes)), dtype=np.int64)
        for first in range(0, len(data.images), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            found = nearest(model.patches(data.images[some]), texts, data.images.shape[1])
            counts += confusion(data.masks[some], found, len(data.classes))
        if not counts.any():
            raise DataError(f"no pixel of a mask has the number of one of {len(data.classes)} classes")
        yield "miou", mean_iou(counts)
        yield "pixel_acc", float(counts.diagonal().sum() / counts.sum())


def nearest(patches: torch.Tensor, texts: torch.Tensor, side: int) -> NDArray[np.int64]:
    """Return the class of each pixel, shape (n, side, side).

    Args:
        patches: unit vectors, shape (n, grid, grid, embedding).
        texts: unit vectors, shape (classes, embedding).
        side: of the images in pixels.
    """
    scores = (patches @ texts.T).permute(0, 3, 1, 2)
    of_pixels = interpolate(scores, size=(side, side), mode="bilinear", align_corners=False)
    found: NDArray[np.int64] = of_pixels.argmax(dim=1).cpu().numpy()
    return found


def confusion(masks: Pixels, found: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Return how many pixels of each class (rows) were taken for each (columns), without background."""
    is_named = masks < num_classes
    pairs = masks[is_named].astype(np.int64) * num_classes + found[is_named]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def mean_iou(counts: NDArray[np.int64]) -> float:
    """Return the mean of intersection over union, of the classes that are there or were found."""
    both = counts.diagonal()
    either = counts.sum(axis=0) + counts.sum(axis=1) - both
    present = either > 0
    return float((both[present] / either[present]).mean())
