"""The sample order: a pure function of (seed, position), so that one integer is all its state.

A position counts samples since the run began; a pass is one visit of the data. For each pass the
shards are permuted (or drawn with replacement) and laid end to end; that line is cut into equal
lanes, and lane l supplies the l-th part of every global batch. So a rank keeps to a few shards, and
yet the global batch is the same set in the same order for any number of ranks. Inside a lane, windows
of shards are interleaved in chunks of consecutive samples, and blocks of the result are permuted:
reads stay nearly sequential, batches are mixed. Of several sources each has its own passes and lanes,
and `training.data.mixture` says whose turn it is. Reading is left to `training.data.reader`.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from conf.schema import OrderConfig
from sweeps.errors import DataError
from training.data.mixture import Mixture
from training.data.streams import Ints, Use, distinct, random_stream

MOST_LANES = 64

DRAWN_ON_TOP = 1 / 32
"""Share of the shards, where those drawn with replacement hold too few samples."""


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


@dataclass(frozen=True, slots=True)
class Places:
    """Where samples lie: source, shard of the source, sample of the shard; shape (positions,) each."""

    sources: Ints
    shards: Ints
    samples: Ints

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Yield the place of each position."""
        columns = (self.sources, self.shards, self.samples)
        return zip(*(column.tolist() for column in columns), strict=True)


class SampleOrder:
    """Answers which sample stands at a position.

    Args:
        sizes: for each source the number of samples of each of its shards, shape (shards,).
        weights: of the sources.
        global_batch_size: samples of one step over all ranks.
        seed: the run's seed.
        config: lanes, windows, chunks and blocks.
        resampled: draw the shards of a pass with replacement.

    Raises:
        DataError: the lanes do not fit to the batch or the data.
    """

    def __init__(
        self,
        sizes: Sequence[Ints],
        weights: Sequence[float],
        *,
        global_batch_size: int,
        seed: int,
        config: OrderConfig,
        resampled: bool,
    ) -> None:
        self._num_lanes = num_lanes_of(config, global_batch_size)
        if global_batch_size % self._num_lanes:
            raise DataError(
                f"data.order.num_lanes={self._num_lanes} does not divide the global batch "
                f"{global_batch_size}"
            )
        self._rows_per_lane = global_batch_size // self._num_lanes
        self._global_batch_size = global_batch_size
        self._mixture = Mixture(weights, seed=seed, num_lanes=self._num_lanes)
        self._sources = [
            SourceOrder(
                of_source, seed, number, config=config, num_lanes=self._num_lanes, resampled=resampled
            )
            for number, of_source in enumerate(sizes)
        ]

    def locate(self, positions: Ints) -> Places:
        """Return the places of the samples at some positions."""
        step, row = np.divmod(positions, self._global_batch_size)
        lane, row_in_lane = np.divmod(row, self._rows_per_lane)
        offsets = step * self._rows_per_lane + row_in_lane
        places = Places(*(np.empty_like(positions) for _ in range(3)))
        for one_lane in distinct(lane):
            here = np.flatnonzero(lane == one_lane)
            self._locate(one_lane, offsets[here], here, places)
        return places

    def _locate(self, lane: int, offsets: Ints, where: Ints, places: Places) -> None:
        """Write the places of offsets of a lane to `where` in `places`."""
        sources, own = self._mixture.locate(lane, offsets)
        places.sources[where] = sources
        for source in distinct(sources):
            here = sources == source
            found = self._sources[source].locate(lane, own[here])
            places.shards[where[here]], places.samples[where[here]] = found


class SourceOrder:
    """Answers which sample of one source stands at an offset of one of its lanes.

    Args:
        sizes: number of samples of each shard, shape (shards,).
        seed: the run's seed.
        number: of the source, so that no two sources are shuffled alike.
        config: windows, chunks and blocks.
        num_lanes: lanes in which a pass is cut.
        resampled: draw the shards of a pass with replacement.
    """

    def __init__(
        self,
        sizes: Ints,
        seed: int,
        number: int,
        *,
        config: OrderConfig,
        num_lanes: int,
        resampled: bool,
    ) -> None:
        self._sizes = np.asarray(sizes, dtype=np.int64)
        self._seed, self._config, self._resampled = seed, config, resampled
        self._where = (number,) if number else ()
        self._total = int(self._sizes.sum())
        self._samples_per_lane = self._total // num_lanes
        if not self._samples_per_lane:
            raise DataError(f"{self._total} samples are too few for {num_lanes} lanes")
        self._line = functools.lru_cache(maxsize=2)(self._make_line)
        self._pieces = functools.lru_cache(maxsize=2 * num_lanes)(self._make_pieces)
        self._window = functools.lru_cache(maxsize=4 * num_lanes)(self._make_window)

    def locate(self, lane: int, offsets: Ints) -> tuple[Ints, Ints]:
        """Return (shard, sample inside the shard) of offsets of a lane, both of shape (offsets,)."""
        passes, inside = np.divmod(offsets, self._samples_per_lane)
        shards, samples = np.empty_like(offsets), np.empty_like(offsets)
        for one_pass in distinct(passes):
            here = passes == one_pass
            shards[here], samples[here] = self._locate(one_pass, lane, inside[here])
        return shards, samples

    def _stream(self, use: Use, *where: int) -> np.random.Generator:
        return random_stream(self._seed, use, *where, *self._where)

    def _locate(self, one_pass: int, lane: int, offsets: Ints) -> tuple[Ints, Ints]:
        starts = self._pieces(one_pass, lane)[3]
        windows = np.searchsorted(starts, offsets, side="right") - 1
        shards, samples = np.empty_like(offsets), np.empty_like(offsets)
        for index in distinct(windows):
            here = windows == index
            window = self._window(one_pass, lane, index)
            inside = offsets[here] - starts[index]
            shards[here], samples[here] = window.shards[inside], window.samples[inside]
        return shards, samples

    def _make_line(self, one_pass: int) -> tuple[Ints, Ints]:
        """Return the shards of a pass in order, and where each one starts on the line.

        With replacement, shards are drawn until they cover as many samples as the data has.
        """
        stream, count = self._stream(Use.SHARDS, one_pass), len(self._sizes)
        shards = stream.integers(count, size=count) if self._resampled else stream.permutation(count)
        lengths = self._sizes[shards]
        while lengths.sum() < self._total:
            more = stream.integers(count, size=math.ceil(count * DRAWN_ON_TOP))
            shards = np.concatenate([shards, more])
            lengths = self._sizes[shards]
        starts = np.cumsum(lengths)
        starts -= lengths
        return shards, starts

    def _make_pieces(self, one_pass: int, lane: int) -> tuple[Ints, Ints, Ints, Ints]:
        """Return the pieces of shards in a lane (shard, first sample, length) and window starts."""
        line, line_starts = self._line(one_pass)
        low, high = lane * self._samples_per_lane, (lane + 1) * self._samples_per_lane
        near = slice(
            np.searchsorted(line_starts, low, side="right") - 1, np.searchsorted(line_starts, high)
        )
        shards, starts = line[near], line_starts[near]
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
            self._stream(Use.CHUNKS, one_pass, lane, index),
        )
        mixed = _permute_blocks(
            len(piece),
            self._config.block_samples,
            self._stream(Use.BLOCKS, one_pass, lane, index),
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
