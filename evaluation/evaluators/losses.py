"""Held-out losses: what training minimises, on pairs that it never saw."""

from collections.abc import Iterator

import numpy as np

from evaluation.encoding.encoder import Encoder, Features
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError


def contrastive_loss(images: Features, texts: Features, scale: float) -> float:
    """Return CLIP's symmetric cross-entropy in nats of pairs (row i of both belong together)."""
    logits = scale * (images @ texts.T).astype(np.float64)
    own = np.diagonal(logits)
    return float(((_log_sum_exp(logits) - own) + (_log_sum_exp(logits.T) - own)).mean() / 2)


class HeldOutLoss:
    """Mean contrastive loss over batches of `batch` pairs in the set's order; the rest is left out.

    And that of the captions' tokens, each given the image and the tokens before, if the model captions.
    """

    def __init__(self, batch: int = 64) -> None:
        self._batch = batch

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield contrastive_loss and caption_loss in nats, with the first caption of each image.

        Raises:
            DataError: an image has no caption, or the set is smaller than a batch.
        """
        if not all(data.captions) or len(data.captions) != len(data.images):
            raise DataError("a held-out loss needs a caption for each image, and the test set has not")
        captions = [own[0] for own in data.captions]
        images, texts = model.images(data), model.texts(captions)
        if len(images) < self._batch:
            raise DataError(f"{len(images)} pairs are fewer than a batch of {self._batch}")
        starts = range(0, len(images) - self._batch + 1, self._batch)
        parts = [slice(first, first + self._batch) for first in starts]
        losses = [contrastive_loss(images[p], texts[p], model.logit_scale) for p in parts]
        yield "contrastive_loss", float(np.mean(losses))
        if (caption_loss := model.caption_loss(data, captions)) is not None:
            yield "caption_loss", caption_loss


def _log_sum_exp(logits: np.ndarray) -> np.ndarray:
    most = logits.max(axis=1, keepdims=True)
    result: np.ndarray = np.log(np.exp(logits - most).sum(axis=1)) + most[:, 0]
    return result
