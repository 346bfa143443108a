"""Images of several test sets as one stream of full batches, equal ones once, the next one at hand."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from evaluation.sets.testset import TestSet

T = TypeVar("T")
Places = NDArray[np.int64]

BATCH = 256
READERS = 2
"""Threads that put batches together, so that a fast GPU need not wait for a single one."""


class ImageStream:
    """All images of some sets of one size, one after the other."""

    def __init__(self, sets: Sequence[TestSet]) -> None:
        self._sets = sets
        self._starts = np.cumsum([0, *(len(one.images) for one in sets)])
        self._rows, self._places = _unique(sets, int(self._starts[-1]))

    @property
    def num_batched(self) -> int:
        """How many images are in all batches together."""
        return len(self._rows)

    def rows(self, size: int) -> Iterator[Places]:
        """Yield which images make each batch of so many; none is equal to another."""
        return (self._rows[n : n + size] for n in range(0, len(self._rows), size))

    def uploaded(self, device: torch.device) -> Iterator[torch.Tensor]:
        """Yield all batches on a GPU."""
        uploads = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        for batch in ahead(partial(self._uploaded, some, uploads) for some in self.rows(BATCH)):
            batch.record_stream(torch.cuda.current_stream(device))
            yield batch

    def apart(self, features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return what belongs to each set, of a row for each image in the batches."""
        return np.split(features[self._places], self._starts[1:-1])

    def batch(self, rows: Places, *, pinned: bool = False) -> torch.Tensor:
        """Return uint8 images in memory, shape (n, side, side, 3).

        `rows` are in ascending order, so those of a set are together.
        """
        shape = (len(rows), *self._sets[0].images.shape[1:])
        batch = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
        bounds = np.searchsorted(rows, self._starts)
        for owner, (first, last) in enumerate(pairwise(bounds)):
            if first < last:
                own, out = rows[first:last] - self._starts[owner], batch.numpy()[first:last]
                np.take(self._sets[owner].images, own, axis=0, out=out, mode="clip")  # unbuffered
        return batch

    def _uploaded(self, rows: Places, stream: torch.cuda.Stream) -> torch.Tensor:
        """Return images on a GPU, once they are there: what it computes meanwhile does not wait."""
        with torch.cuda.stream(stream):
            batch = self.batch(rows, pinned=True).to(stream.device, non_blocking=True)
            stream.synchronize()
        return batch


def ahead(tasks: Iterable[Callable[[], T]], num_threads: int = READERS) -> Iterator[T]:
    """Yield what each task makes, in order; threads are as many tasks ahead as there are threads."""
    with ThreadPoolExecutor(num_threads) as pool:
        coming = deque[Future[T]]()
        for task in tasks:
            coming.append(pool.submit(task))
            if len(coming) > num_threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _unique(sets: Sequence[TestSet], total: int) -> tuple[Places, Places]:
    """Return which images to encode, in their order, and for each image which of these is its own."""
    if any(len(one.digests) != len(one.images) for one in sets):
        return np.arange(total), np.arange(total)
    digests = np.concatenate([one.digests for one in sets])
    _, first, number = np.unique(digests, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[number]
