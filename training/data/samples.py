"""From a place in the shards to a training pair, and what takes the place of one that is broken."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from sweeps.errors import DataError
from training.data.contents import BrokenSample, Sample, caption_of, image_of
from training.data.decode import Pixels, decode
from training.data.images import train_pixels
from training.data.index import ShardIndex
from training.data.reader import ShardReader
from training.data.streams import Use, random_stream
from training.model import Tokenizer

CACHED_CAPTIONS = 4096
MOST_TRIES = 20
"""So many samples in a row are broken only where the data is no such data at all."""

Place = tuple[int, int, int]
"""Source, shard of the source, sample of the shard."""


class SampleSource:
    """Reads, decodes and crops the samples of a run.

    Args:
        indexes: of the sources.
        tokenizer: makes tokens of captions.
        side: of the images, in pixels.
        crop_scale: range of the crop's share of the area.
        seed: the run's seed.
    """

    def __init__(
        self,
        indexes: Sequence[ShardIndex],
        tokenizer: Tokenizer,
        *,
        side: int,
        crop_scale: tuple[float, float],
        seed: int,
    ) -> None:
        self._indexes, self._side, self._scale, self._seed = indexes, side, crop_scale, seed
        self._readers = [ShardReader(index) for index in indexes]
        self._tokens = lru_cache(CACHED_CAPTIONS)(lambda caption: tokenizer([caption])[0])

    def pair(
        self, position: int, place: Place, uniforms: NDArray[np.float64]
    ) -> tuple[Pixels, torch.Tensor, list[BrokenSample]]:
        """Return image (side, side, 3) and tokens for a position, and what was broken before.

        A broken sample is replaced by one drawn from all of its source, which depends on (seed,
        position, try) alone; no other position is touched.

        Raises:
            DataError: a shard cannot be read, or one sample after the other is broken.
        """
        broken: list[BrokenSample] = []
        while len(broken) < MOST_TRIES:
            sample = self._readers[place[0]].read(*place[1:])
            try:
                return *self._decoded(sample, uniforms), broken
            except ValueError as error:
                broken.append(self._broken(place, str(error)))
            place = self._replacement(place[0], position, len(broken))
        raise DataError(f"{MOST_TRIES} samples drawn in a row are broken, the first: {broken[0]}")

    def _decoded(self, sample: Sample, uniforms: NDArray[np.float64]) -> tuple[Pixels, torch.Tensor]:
        pixels = train_pixels(decode(image_of(sample)), self._side, self._scale, uniforms)
        return pixels, self._tokens(caption_of(sample))

    def _broken(self, place: Place, reason: str) -> BrokenSample:
        source, shard, sample = place
        return BrokenSample(
            shard=str(self._indexes[source].path(shard)),
            key=self._readers[source].key(shard, sample),
            reason=reason,
        )

    def _replacement(self, source: int, position: int, attempt: int) -> Place:
        starts = self._indexes[source].starts
        stream = random_stream(self._seed, Use.REPLACEMENT, position, attempt)
        number = int(stream.integers(starts[-1]))
        shard = int(np.searchsorted(starts, number, side="right")) - 1
        return source, shard, number - int(starts[shard])
