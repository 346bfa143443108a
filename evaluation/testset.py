"""Test sets, decoded once into memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.layout import is_test_set, shard_paths
from sweeps.errors import DataError
from training.data.contents import Sample, image_of
from training.data.decode import Pixels, decode
from training.data.images import eval_pixels
from training.data.indexing import index_in_memory
from training.data.reader import ShardReader


@dataclass(frozen=True, slots=True)
class TestSet:
    """A decoded test set.

    `images`: uint8, shape (n, side, side, 3). `labels`: shape (n,), empty where there are no classes.
    `captions`: those of each image, empty where there are none.
    """

    __test__ = False  # for pytest: this is no test

    images: Pixels
    labels: NDArray[np.int64]
    captions: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    templates: tuple[str, ...]


def load_test_set(folder: Path, side: int) -> TestSet:
    """Return the test set in `folder` at a resolution of `side` × `side` pixels.

    Raises:
        DataError: it is incomplete or a sample cannot be decoded.
    """
    samples = list(_samples(folder))
    for kind in ("cls", "txt"):
        if 0 < sum(kind in sample for sample in samples) < len(samples):
            raise DataError(f"{folder}: some samples have a .{kind} and others have none")
    return TestSet(
        images=np.stack([_pixels(folder, number, s, side) for number, s in enumerate(samples)]),
        labels=np.array(list(_labels(folder, samples)), dtype=np.int64),
        captions=tuple(tuple(s["txt"].decode().splitlines()) for s in samples if "txt" in s),
        classes=_lines(folder / "classnames.txt"),
        templates=_lines(folder / "zeroshot_classification_templates.txt"),
    )


def _samples(folder: Path) -> Iterator[Sample]:
    if not is_test_set(folder):
        raise DataError(f"no test set in {folder}: test/nshards.txt is missing")
    index = index_in_memory(shard_paths(folder))
    reader = ShardReader(index)
    for shard in range(index.num_shards):
        yield from reader.samples(shard)


def _labels(folder: Path, samples: Iterable[Sample]) -> Iterator[int]:
    for number, sample in enumerate(samples):
        if "cls" in sample:
            try:
                yield int(sample["cls"])
            except ValueError as error:
                raise DataError(f"{folder}, sample {number}: {error}") from error


def _pixels(folder: Path, number: int, sample: Sample, side: int) -> Pixels:
    try:
        return eval_pixels(decode(image_of(sample)), side)
    except ValueError as error:
        raise DataError(f"{folder}, sample {number}: {error}") from error


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text().splitlines()) if path.exists() else ()
