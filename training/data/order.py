"""The sample order: a pure function of (seed, position), so that one integer is all its state.

A position counts samples since the run began; a pass is one visit of the data. For each pass the
shards are permuted (or drawn with replacement) and laid end to end; that line is cut into equal
lanes, and lane l supplies the l-th part of every global batch. So a rank keeps to a few shards, and
yet the global batch is the same set in the same order for any number of ranks. Inside a lane, windows
of shards are interleaved in chunks of consecutive samples, and blocks of the result are permuted:
reads stay nearly sequential, batches are mixed. Reading the samples is left to `training.data.shards`.

All random choices are Philox counters (Salmon et al., SC 2011), keyed by the seed and by their use.
"""

import functools
import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from conf.schema import OrderConfig
from sweeps.errors import DataError

Ints = NDArray[np.int64]

MOST_LANES = 64
UNIFORMS_PER_SAMPLE = 16


class _Use(IntEnum):
    """What a random stream is for; streams of different uses are independent."""

    SHARDS = 1
    CHUNKS = 2
    BLOCKS = 3
    AUGMENTATION = 4


def random_stream(seed: int, use: int, *where: int) -> np.random.Generator:
    """Return the random stream of one seed, use and place; equal arguments, equal stream."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, use, *where])))


def augmentation_uniforms(seed: int, first: int, count: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1) for `count` positions from `first`, shape (count, 16).

    Those of a position depend on the seed and the position only, not on who asks for what else.
    """
    philox = np.random.Philox(np.random.SeedSequence([seed, _Use.AUGMENTATION]))
    numbers_per_block = 4
    philox.advance(first * UNIFORMS_PER_SAMPLE // numbers_per_block)
    return np.random.Generator(philox).random((count, UNIFORMS_PER_SAMPLE))


def num_lanes_of(config: OrderConfig, global_batch_size: int) -> int:
    """Return the number of lanes: as configured, else the largest fitting power of two to 64."""
    if config.num_lanes is not None:
        return config.num_lanes
    return math.gcd(global_batch_size, MOST_LANES)


@dataclass(frozen=True, slots=True)
class _Window:
    """Samples of some consecutive shards of a lane, in the order in which they are trained."""

    shards: Ints
    samples: Ints


class SampleOrder:
    """Answers which sample stands at a position.

    Args:
        sizes: number of samples of each shard, shape (shards,).
        global_batch_size: samples of one step over all ranks.
        seed: the run's seed.
        config: lanes, windows, chunks and blocks.
        resampled: draw the shards of a pass with replacement.
    """

    def __init__(
        self,
        sizes: Ints,
        *,
        global_batch_size: int,
        seed: int,
        config: OrderConfig,
        resampled: bool,
    ) -> None:
        self._sizes = np.asarray(sizes, dtype=np.int64)
        self._seed, self._config, self._resampled = seed, config, resampled
        self._num_lanes = num_lanes_of(config, global_batch_size)
        if global_batch_size % self._num_lanes:
            raise DataError(
                f"data.order.num_lanes={self._num_lanes} does not divide the global batch "
                f"{global_batch_size}"
            )
        self._rows_per_lane = global_batch_size // self._num_lanes
        self._global_batch_size = global_batch_size
        self.samples_per_lane = int(self._sizes.sum()) // self._num_lanes
        if not self.samples_per_lane:
            raise DataError(f"{int(self._sizes.sum())} samples are too few for {self._num_lanes} lanes")
        self._line = functools.lru_cache(maxsize=2)(self._make_line)
        self._pieces = functools.lru_cache(maxsize=2 * self._num_lanes)(self._make_pieces)
        self._window = functools.lru_cache(maxsize=4 * self._num_lanes)(self._make_window)

    def locate(self, positions: Ints) -> tuple[Ints, Ints]:
        """Return (shard, sample inside the shard) of each position, both of shape (positions,)."""
        step, row = np.divmod(positions, self._global_batch_size)
        lane, row_in_lane = np.divmod(row, self._rows_per_lane)
        passes, offset = np.divmod(step * self._rows_per_lane + row_in_lane, self.samples_per_lane)
        shards, samples = np.empty_like(positions), np.empty_like(positions)
        for one_pass, one_lane in set(zip(passes.tolist(), lane.tolist(), strict=True)):
            here = np.flatnonzero((passes == one_pass) & (lane == one_lane))
            shards[here], samples[here] = self._locate(one_pass, one_lane, offset[here])
        return shards, samples

    def _locate(self, one_pass: int, lane: int, offsets: Ints) -> tuple[Ints, Ints]:
        starts = self._pieces(one_pass, lane)[3]
        windows = np.searchsorted(starts, offsets, side="right") - 1
        shards, samples = np.empty_like(offsets), np.empty_like(offsets)
        for index in np.unique(windows).tolist():
            here = windows == index
            window = self._window(one_pass, lane, index)
            inside = offsets[here] - starts[index]
            shards[here], samples[here] = window.shards[inside], window.samples[inside]
        return shards, samples

    def _make_line(self, one_pass: int) -> tuple[Ints, Ints]:
        """Return the shards of a pass in order, and where each one starts on the line."""
        stream = random_stream(self._seed, _Use.SHARDS, one_pass)
        shards = self._drawn(stream) if self._resampled else stream.permutation(len(self._sizes))
        ends = np.cumsum(self._sizes[shards])
        return shards, ends - self._sizes[shards]

    def _drawn(self, stream: np.random.Generator) -> Ints:
        """Draw shards with replacement until they cover as many samples as the data has."""
        total, drawn = int(self._sizes.sum()), np.empty(0, dtype=np.int64)
        while self._sizes[drawn].sum() < total:
            more = stream.integers(len(self._sizes), size=len(self._sizes))
            drawn = np.concatenate([drawn, more])
        return drawn

    def _make_pieces(self, one_pass: int, lane: int) -> tuple[Ints, Ints, Ints, Ints]:
        """Return the pieces of shards in a lane (shard, first sample, length) and window starts."""
        shards, starts = self._line(one_pass)
        low, high = lane * self.samples_per_lane, (lane + 1) * self.samples_per_lane
        first = np.maximum(low - starts, 0)
        lengths = np.minimum(high - starts, self._sizes[shards]) - first
        here = np.flatnonzero(lengths > 0)
        lengths = lengths[here]
        piece_starts = np.cumsum(lengths) - lengths
        return shards[here], first[here], lengths, piece_starts[:: self._config.window_shards]

    def _make_window(self, one_pass: int, lane: int, index: int) -> _Window:
        shards, first, lengths, _ = self._pieces(one_pass, lane)
        here = slice(index * self._config.window_shards, (index + 1) * self._config.window_shards)
        piece, sample = _interleave(
            lengths[here],
            self._config.chunk_samples,
            random_stream(self._seed, _Use.CHUNKS, one_pass, lane, index),
        )
        mixed = _permute_blocks(
            len(piece),
            self._config.block_samples,
            random_stream(self._seed, _Use.BLOCKS, one_pass, lane, index),
        )
        piece, sample = piece[mixed], sample[mixed]
        return _Window(shards[here][piece], first[here][piece] + sample)


def _interleave(lengths: Ints, chunk: int, stream: np.random.Generator) -> tuple[Ints, Ints]:
    """Return (piece, sample) of all samples: chunks in random order, ascending inside each piece."""
    num_chunks = -(-lengths // chunk)
    turns = stream.permutation(np.repeat(np.arange(len(lengths)), num_chunks))
    occurrence = _occurrences(turns)
    begin = occurrence * chunk
    count = np.minimum(lengths[turns] - begin, chunk)
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(turns, count), np.repeat(begin, count) + within


def _occurrences(values: Ints) -> Ints:
    """Return for each value how often it stood before: 3 1 3 3 → 0 0 1 2."""
    by_value = np.argsort(values, kind="stable")
    ordered = values[by_value]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(values)])
    result = np.empty_like(values)
    result[by_value] = np.arange(len(values)) - np.repeat(starts, sizes)
    return result


def _permute_blocks(count: int, block: int, stream: np.random.Generator) -> Ints:
    """Return a permutation of 0 … count-1 that moves nothing out of its block."""
    starts = range(0, count, block)
    return np.concatenate([s + stream.permutation(min(block, count - s)) for s in starts])
