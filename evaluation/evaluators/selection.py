"""Choosing among few: an image's caption, a caption's image, all images that fit a cue."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evaluation.encoding.encoder import Encoder, Features
from evaluation.sets.layout import INSTANCES
from evaluation.sets.testset import TestSet
from sweeps.errors import DataError

VOWELS = tuple("aeiou")


class CaptionSelection:
    """Whether captions and images find each other.

    An image's first caption is right and the others are not (SugarCrepe, arXiv:2306.14610); or each
    image of an instance has its own caption, in the same order (Winoground, arXiv:2204.03162). What is
    right must score higher than all else: a tie is a miss.
    """

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield text_acc (all images find their caption), image_acc (all captions their image) and acc.

        acc is Winoground's group score: both at once. With one image each there is text_acc alone.

        Raises:
            DataError: there is nothing to choose.
        """
        answers = np.array([chosen_right(i @ t.T) for i, t in _choices(model, data)])
        yield "text_acc", float(answers[:, 0].mean())
        if data.instances:
            yield "image_acc", float(answers[:, 1].mean())
            yield "acc", float(answers.all(axis=1).mean())


def chosen_right(scores: NDArray[np.float32]) -> tuple[bool, bool]:
    """Return whether each image prefers its own text to all others, and each text its own image.

    Args:
        scores: shape (images, texts); the i-th text belongs to the i-th image, further texts to none.
    """
    own = scores.diagonal()
    others = scores.copy()
    np.fill_diagonal(others, -np.inf)
    paired = others[:, : len(scores)]
    return bool((own > others.max(axis=1)).all()), bool((own > paired.max(axis=0)).all())


def _choices(model: Encoder, data: TestSet) -> Iterator[tuple[Features, Features]]:
    """Yield features of the images and of the captions of each instance."""
    asked = [(list(one.images), one.captions) for one in data.instances]
    asked = asked or [([number], own) for number, own in enumerate(data.captions)]
    if not asked or any(len(texts) < max(2, len(images)) for images, texts in asked):
        raise DataError("caption selection needs at least two captions an image, or instances.jsonl")
    texts = model.texts([text for _, own in asked for text in own])
    ends = np.cumsum([len(own) for _, own in asked])
    images = model.images(data)
    for (numbers, _), own in zip(asked, np.split(texts, ends[:-1]), strict=True):
        yield images[numbers], own


class Association:
    """Which of some images a cue is associated with: WinoGAViL (arXiv:2207.12576), as DataComp has it.

    Of each instance as many images are chosen as are associated, those nearest to "A <cue>".
    """

    files = (INSTANCES,)

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield avg_jaccard_score, and jaccard_score_5-6 and _10-12 for so many candidates.

        Raises:
            DataError: the set has no instances with a cue and associated images.
        """
        if not data.instances or not all(one.associated and one.captions for one in data.instances):
            raise DataError("association needs cues and associated images in instances.jsonl")
        images = model.images(data)
        cues = model.texts([prompt(one.captions[0]) for one in data.instances])
        scores = np.array(
            [
                jaccard(images[list(one.images)] @ cue, list(one.associated))
                for one, cue in zip(data.instances, cues, strict=True)
            ]
        )
        sizes = np.array([len(one.images) for one in data.instances])
        yield "avg_jaccard_score", float(scores.mean())
        for name, some in (("5-6", sizes <= 6), ("10-12", sizes >= 10)):
            if some.any():
                yield f"jaccard_score_{name}", float(scores[some].mean())


def jaccard(scores: NDArray[np.float32], associated: list[int]) -> float:
    """Return shared by all of the `associated` places and as many places with the highest scores."""
    chosen = set(np.argsort(scores, kind="stable")[-len(associated) :].tolist())
    return len(chosen & set(associated)) / len(chosen | set(associated))


def prompt(cue: str) -> str:
    """Return what DataComp asks for a cue."""
    cue = cue.lower()
    return f"{'An' if cue.startswith(VOWELS) else 'A'} {cue}"
