"""From the tars of a test set to pixels of one size, and what else is known of each image."""

import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import chain, count, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.sets.layout import is_test_set, shard_paths
from sweeps.errors import DataError
from training.data.contents import Sample, image_of
from training.data.decode import PILLOW_ERRORS, Pixels, decode
from training.data.images import centre_of, eval_pixels
from training.data.indexing import index_in_memory
from training.data.reader import ShardReader

LABEL, CAPTIONS, NUMBERS, MASK = "cls", "txt", "npy", "seg.png"

MOST_THREADS = 32
AT_ONCE, AHEAD = 16, 4
"""Samples that a thread takes at a time, and how often the threads may be ahead of who reads."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of an image besides its pixels, of which `digest` is a hash of 8 bytes."""

    digest: bytes
    label: int | None
    captions: tuple[str, ...] | None
    numbers: list[int] | None
    mask: Pixels | None


Decoded = tuple[Pixels, Facts]
"""An image, shape (side, side, 3), and what is known of it."""


class Tars:
    """The tars of one split of a test set.

    Raises:
        DataError: there is no such split, or a tar is damaged or cannot be read.
    """

    def __init__(self, folder: Path, split: str) -> None:
        if not is_test_set(folder, split):
            raise DataError(f"no test set in {folder}: {split}/nshards.txt is missing")
        self._folder = folder
        try:
            self._index = index_in_memory(shard_paths(folder, split))
        except OSError as error:
            raise DataError(f"{folder}: a tar of {split}/ cannot be read: {error}") from error

    def __len__(self) -> int:
        return self._index.num_samples

    def decoded(self, side: int) -> Iterator[Decoded]:
        """Yield all samples in order, with images of `side` × `side` pixels, decoded by many threads.

        Raises:
            DataError: one cannot be decoded.
        """
        work = partial(_decode_some, folder=self._folder, side=side)
        for some in _mapped(work, _grouped(zip(count(), self._samples(), strict=False))):
            yield from some

    def _samples(self) -> Iterator[Sample]:
        reader = ShardReader(self._index)
        return chain.from_iterable(map(reader.samples, range(self._index.num_shards)))


Numbered = list[tuple[int, Sample]]


def _decode_some(samples: Numbered, folder: Path, side: int) -> list[Decoded]:
    return [_decode(folder, number, sample, side) for number, sample in samples]


def _decode(folder: Path, number: int, sample: Sample, side: int) -> Decoded:
    try:
        pixels = np.ascontiguousarray(eval_pixels(decode(image_of(sample)), side))
        return pixels, Facts(
            digest=blake2b(pixels.data, digest_size=8).digest(),
            label=_label(sample[LABEL]) if LABEL in sample else None,
            captions=tuple(sample[CAPTIONS].decode().splitlines()) if CAPTIONS in sample else None,
            numbers=_numbers(sample[NUMBERS]) if NUMBERS in sample else None,
            mask=_mask(sample[MASK], side) if MASK in sample else None,
        )
    except PILLOW_ERRORS as error:  # ValueError is among them
        raise DataError(f"{folder}, sample {number}: {error}") from error


def _label(content: bytes) -> int:
    label = int(content)
    if label.bit_length() > 63:
        raise ValueError(f"its label {label} does not fit in 64 bits")
    return label


def _numbers(content: bytes) -> list[int]:
    numbers: NDArray[np.int64] = np.load(io.BytesIO(content), allow_pickle=False).astype(np.int64)
    return [int(number) for number in numbers.reshape(-1)]


def _mask(content: bytes, side: int) -> Pixels:
    """Return classes of pixels, cut as the image is; each is that of the nearest pixel."""
    with Image.open(io.BytesIO(content)) as image:
        if image.mode not in ("L", "P"):
            raise ValueError(f"its mask has mode {image.mode}, and not 8 bits a pixel")
        width, height, left, top = centre_of(image.width, image.height, side)
        resized = np.asarray(image.resize((width, height), Image.Resampling.NEAREST))
    return np.ascontiguousarray(resized[top : top + side, left : left + side])


def _grouped(samples: Iterable[tuple[int, Sample]]) -> Iterator[Numbered]:
    left = iter(samples)
    while some := list(islice(left, AT_ONCE)):
        yield some


def _mapped(
    work: Callable[[Numbered], list[Decoded]], groups: Iterable[Numbered]
) -> Iterator[list[Decoded]]:
    """Yield what `work` makes of each group, in order; so much is in memory as threads are ahead."""
    num_threads = min(len(os.sched_getaffinity(0)), MOST_THREADS)
    with ThreadPoolExecutor(num_threads) as pool:
        coming: deque[Future[list[Decoded]]] = deque()
        for group in groups:
            coming.append(pool.submit(work, group))
            if len(coming) > AHEAD * num_threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
