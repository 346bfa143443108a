"""Images of several test sets as one stream of full batches, equal ones once, the next one at hand."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from evaluation.testset import TestSet

T = TypeVar("T")
Places = NDArray[np.int64]

BATCH = 256


class ImageStream:
    """All images of some sets of one size, one after the other."""

    def __init__(self, sets: Sequence[TestSet]) -> None:
        self._sets = sets
        self._starts = np.cumsum([0, *(len(one.images) for one in sets)])
        self._rows, self._places = _unique(sets, int(self._starts[-1]))

    @property
    def num_batched(self) -> int:
        """How many images `batches` yields."""
        return len(self._rows)

    def batches(self, device: torch.device) -> Iterator[torch.Tensor]:
        """Yield uint8 images on a device, shape (n, side, side, 3); none is equal to another."""
        starts = range(0, len(self._rows), BATCH)
        yield from ahead(self._batch(self._rows[n : n + BATCH], device) for n in starts)

    def apart(self, features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return what belongs to each set, of a row for each image that `batches` yields."""
        return np.split(features[self._places], self._starts[1:-1])

    def _batch(self, rows: Places, device: torch.device) -> torch.Tensor:
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        batch = torch.empty(
            (len(rows), *self._sets[0].images.shape[1:]),
            dtype=torch.uint8,
            pin_memory=device.type == "cuda",
        )
        for owner in np.unique(owners):
            own = owners == owner
            batch.numpy()[own] = self._sets[owner].images[rows[own] - self._starts[owner]]
        return batch.to(device, non_blocking=True)


def ahead(iterator: Iterator[T]) -> Iterator[T]:
    """Yield what `iterator` does, and have it make the next one meanwhile, in a thread."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, iterator, None)
        while (one := coming.result()) is not None:
            coming = pool.submit(next, iterator, None)
            yield one


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
