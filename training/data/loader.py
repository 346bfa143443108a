"""Batches of one rank: which samples, read, decoded, augmented and tokenized.

A batch is a function of its step alone, so any number of workers gives the same batches, and a resume
reads nothing twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from conf.schema import TrainConfig
from sweeps.errors import DataError
from sweeps.runs.sources import sources_of
from training.data.contents import BrokenSample
from training.data.index import ShardIndex, fingerprint_of
from training.data.order import SampleOrder
from training.data.samples import SampleSource
from training.data.streams import augmentation_uniforms
from training.data.tally import Tally
from training.distributed import World
from training.model import Tokenizer

AHEAD = 2
"""Batches that each worker loads ahead of time."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one rank trains in one step.

    `images`: uint8, shape (samples, side, side, 3). `tokens`: int64, shape (samples, context length).
    `broken`: samples in whose places others stand.
    """

    images: torch.Tensor
    tokens: torch.Tensor
    broken: tuple[BrokenSample, ...] = ()

    def pin_memory(self) -> "Batch":
        """Return the batch in memory from which a GPU copies by itself; the loader calls this."""
        return Batch(self.images.pin_memory(), self.tokens.pin_memory(), self.broken)


class StepDataset(Dataset["Batch | DataError"]):
    """Maps a step of the run to one rank's batch of it, or to the error that stops the run.

    An error is returned, not raised: out of a worker process it would come without its message.
    """

    def __init__(
        self,
        train: TrainConfig,
        indexes: Sequence[ShardIndex],
        tokenizer: Tokenizer,
        side: int,
        world: World,
    ) -> None:
        self._train, self._side, self._world = train, side, world
        self._indexes = indexes
        self._samples = SampleSource(
            indexes, tokenizer, side=side, crop_scale=train.data.crop_scale, seed=train.seed
        )
        self._order = SampleOrder(
            [index.sizes for index in indexes],
            [source.weight for source in sources_of(train.data)],
            global_batch_size=train.global_batch_size,
            seed=train.seed,
            config=train.data.order,
            resampled=train.data.resampled,
        )

    @property
    def max_bad_fraction(self) -> float:
        """Share of broken samples that is too much."""
        return self._train.data.max_bad_fraction

    @property
    def fingerprint(self) -> int:
        """A number that tells apart data of which another order of samples is made; never 0."""
        return fingerprint_of(self._indexes)

    def __getitem__(self, step: int) -> "Batch | DataError":
        """Return the batch of a step, counted since the run began."""
        try:
            return self._batch(step)
        except DataError as error:
            return error

    def shards_of(self, step: int) -> list[Path]:
        """Return the shards from which all ranks' samples of a step come."""
        first = step * self._train.global_batch_size
        places = self._order.locate(np.arange(first, first + self._train.global_batch_size))
        shards = sorted({(source, shard) for source, shard, _ in places})
        return [self._indexes[source].path(shard) for source, shard in shards]

    def _batch(self, step: int) -> Batch:
        count = self._train.global_batch_size // self._world.size
        first = step * self._train.global_batch_size + self._world.rank * count
        places = self._order.locate(np.arange(first, first + count))
        uniforms = augmentation_uniforms(self._train.seed, first, count)
        images, tokens, broken = [], [], []
        for row, place in enumerate(places):
            pixels, text, skipped = self._samples.pair(first + row, place, uniforms[row])
            images.append(torch.from_numpy(pixels))
            tokens.append(text)
            broken.extend(skipped)
        # In a worker this collates into shared memory, which is handed over as it is.
        return Batch(default_collate(images), default_collate(tokens), tuple(broken))


def batches(
    dataset: StepDataset, steps: range, *, num_workers: int, pin_memory: bool
) -> Iterator[Batch]:
    """Yield the batches of `steps` in order, loaded ahead by `num_workers` processes.

    Raises:
        DataError: a sample cannot be read, or too many are broken; it names shard and sample.
    """
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=steps,
        num_workers=num_workers,
        pin_memory=pin_memory,
        worker_init_fn=_one_thread if num_workers else None,
        prefetch_factor=AHEAD if num_workers else None,
        # Forked workers have torch, the tokenizer and the mapped index already.
        multiprocessing_context="fork" if num_workers else None,
    )
    tally = Tally(dataset.max_bad_fraction)
    for batch in loader:
        if isinstance(batch, DataError):
            raise batch
        tally.note(len(batch.images), batch.broken)
        yield batch


def _one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)
