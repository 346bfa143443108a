"""Batches of one rank: which samples, read, decoded, augmented and tokenized.

A batch is a function of its step alone, so any number of workers gives the same batches, and a resume
reads nothing twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from conf.schema import TrainConfig
from sweeps.errors import DataError
from training.data.images import Pixels, decode, train_pixels
from training.data.order import SampleOrder, augmentation_uniforms
from training.data.shards import Sample, ShardIndex, ShardReader
from training.distributed import World
from training.model import Tokenizer

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp")
CACHED_CAPTIONS = 65_536


@dataclass(frozen=True, slots=True)
class Batch:
    """What one rank trains in one step.

    `images`: uint8, shape (samples, side, side, 3). `tokens`: int64, shape (samples, context length).
    """

    images: torch.Tensor
    tokens: torch.Tensor

    def pin_memory(self) -> "Batch":
        """Return the batch in memory from which a GPU copies by itself; the loader calls this."""
        return Batch(self.images.pin_memory(), self.tokens.pin_memory())


class StepDataset(Dataset[Batch]):
    """Maps a step of the run to one rank's batch of it."""

    def __init__(
        self, train: TrainConfig, index: ShardIndex, tokenizer: Tokenizer, side: int, world: World
    ) -> None:
        self._train, self._side, self._world = train, side, world
        self._reader = ShardReader(index)
        self._index = index
        self._order = SampleOrder(
            index.sizes,
            global_batch_size=train.global_batch_size,
            seed=train.seed,
            config=train.data.order,
            resampled=train.data.resampled,
        )
        self._tokens = lru_cache(CACHED_CAPTIONS)(lambda caption: tokenizer([caption])[0])

    def __getitem__(self, step: int) -> Batch:
        """Return the batch of a step, counted since the run began.

        Raises:
            DataError: a sample cannot be read or decoded; it names shard and sample.
        """
        count = self._train.global_batch_size // self._world.size
        first = step * self._train.global_batch_size + self._world.rank * count
        places = self._order.locate(np.arange(first, first + count))
        uniforms = augmentation_uniforms(self._train.seed, first, count)
        samples = [self._reader.read(*place) for place in zip(*map(list, places), strict=True)]
        pairs = [self._pair(*one) for one in zip(samples, uniforms, *places, strict=True)]
        images, tokens = zip(*pairs, strict=True)
        return Batch(torch.from_numpy(np.stack(images)), torch.stack(tokens))

    def _pair(
        self, sample: Sample, uniforms: np.ndarray, shard: int, number: int
    ) -> tuple[Pixels, torch.Tensor]:
        content = next((sample[e] for e in IMAGE_EXTENSIONS if e in sample), None)
        try:
            if content is None or "txt" not in sample:
                raise DataError(f"it has {sorted(sample)}, not an image and a txt")
            scale = self._train.data.crop_scale
            pixels = train_pixels(decode(content), self._side, scale, uniforms)
            return pixels, self._tokens(sample["txt"].decode())
        except (ValueError, DataError) as error:
            raise DataError(f"{self._index.paths[shard]}, sample {number}: {error}") from error


def batches(
    dataset: StepDataset, steps: range, *, num_workers: int, pin_memory: bool
) -> Iterator[Batch]:
    """Yield the batches of `steps` in order, loaded ahead by `num_workers` processes."""
    yield from DataLoader(
        dataset,
        batch_size=None,
        sampler=steps,
        num_workers=num_workers,
        pin_memory=pin_memory,
        worker_init_fn=_one_thread if num_workers else None,
    )


def _one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)
