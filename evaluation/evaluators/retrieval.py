"""Image and text retrieval: recall at k, without holding all pairs at once."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.encoding.encoder import Encoder, Features
from evaluation.evaluators.ties import Counts, hit_rate
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError

KS = (1, 5, 10)
CHUNK = 1024


def places_of_best(
    queries: Features, targets: Features, relevant: Sequence[NDArray[np.int64]]
) -> tuple[Counts, Counts, Counts]:
    """Return where the best relevant target of each query stands, as `hit_rate` wants it.

    Args:
        queries: shape (queries, embedding).
        targets: shape (targets, embedding).
        relevant: for each query the rows of `targets` that are right.

    Returns:
        above, tied and relevant among the tied, each of shape (queries,).
    """
    places = np.empty((3, len(queries)), dtype=np.int64)
    for first in range(0, len(queries), CHUNK):
        scores = queries[first : first + CHUNK] @ targets.T
        for row, line in enumerate(scores, start=first):
            own = line[relevant[row]]
            best = own.max()
            places[:, row] = (line > best).sum(), (line == best).sum(), (own == best).sum()
    above, tied, right = places
    return above, tied, right


class Retrieval:
    """Each caption looks for its image, each image for any of its captions."""

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield image_retrieval_recall@k and text_retrieval_recall@k for k = 1, 5, 10.

        And mean_recall@1, which is the mean of both.

        Raises:
            DataError: an image has no caption.
        """
        if not all(data.captions) or len(data.captions) != len(data.images):
            raise DataError("retrieval needs a caption for each image, and the test set has not")
        owners = np.repeat(np.arange(len(data.captions)), [len(own) for own in data.captions])
        images = model.images(data)
        texts = model.texts([caption for own in data.captions for caption in own])
        image_places = places_of_best(texts, images, list(owners[:, None]))
        captions_of = np.split(np.arange(len(owners)), np.flatnonzero(np.diff(owners)) + 1)
        text_places = places_of_best(images, texts, captions_of)
        recalls = [(hit_rate(*image_places, k), hit_rate(*text_places, k)) for k in KS]
        for k, (of_images, of_texts) in zip(KS, recalls, strict=True):
            yield f"image_retrieval_recall@{k}", of_images
            yield f"text_retrieval_recall@{k}", of_texts
        yield "mean_recall@1", sum(recalls[0]) / 2
