"""The sample order is a pure function of (seed, position)."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.schema import OrderConfig
from sweeps.errors import DataError
from training.data.order import SampleOrder, num_lanes_of
from training.data.streams import augmentation_uniforms

SIZES = np.array([70, 31, 100, 64, 55, 80])
SMALL = OrderConfig(num_lanes=4, window_shards=2, chunk_samples=8, block_samples=32)


def order(**given: Any) -> SampleOrder:
    defaults: dict[str, Any] = {"global_batch_size": 32, "seed": 1, "config": SMALL, "resampled": False}
    return SampleOrder([SIZES], [1.0], **{**defaults, **given})


def places(one: SampleOrder, first: int, count: int) -> list[tuple[int, int]]:
    return [place[1:] for place in one.locate(np.arange(first, first + count))]


TWO_PASSES = 800
"""25 steps: each of the four lanes has 100 samples and gives 8 of them to a step."""


def test_a_pass_visits_every_sample_once() -> None:
    found = Counter(places(order(), 0, TWO_PASSES))
    assert len(found) == SIZES.sum() == 400
    assert set(found.values()) == {2}
    assert all(sample < SIZES[shard] for shard, sample in found)


def test_passes_differ() -> None:
    assert places(order(), 0, 384) != places(order(), TWO_PASSES, 384)


def test_seeds_differ() -> None:
    assert places(order(), 0, 64) != places(order(seed=2), 0, 64)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2000), st.integers(1, 200), st.integers(1, 64), st.booleans())
def test_any_piece_equals_its_place_in_the_whole(
    first: int, count: int, step: int, resampled: bool
) -> None:
    whole = places(order(resampled=resampled), 0, first + count)[first:]
    one = order(resampled=resampled)
    pieces = [
        places(one, at, min(step, first + count - at)) for at in range(first, first + count, step)
    ]
    assert [place for piece in pieces for place in piece] == whole


@pytest.mark.parametrize("num_ranks", [1, 2, 4])
def test_the_global_batch_is_the_same_for_any_number_of_ranks(num_ranks: int) -> None:
    rows = 32 // num_ranks
    ranks = [[places(order(), 32 * s + rows * r, rows) for s in range(5)] for r in range(num_ranks)]
    batches = [[p for rank in ranks for p in rank[s]] for s in range(5)]
    assert batches == [places(order(), 32 * s, 32) for s in range(5)]


def test_a_rank_keeps_to_a_few_shards() -> None:
    sizes = np.full(64, 100)
    config = OrderConfig(num_lanes=8, window_shards=4)
    one = SampleOrder([sizes], [1.0], global_batch_size=32, seed=0, config=config, resampled=False)
    first_rank = np.concatenate([np.arange(32 * s, 32 * s + 4) for s in range(100)])
    assert len(set(one.locate(first_rank).shards.tolist())) <= 4


def test_with_replacement_a_pass_repeats_and_leaves_out() -> None:
    sizes = np.full(200, 10)
    one = SampleOrder(
        [sizes], [1.0], global_batch_size=32, seed=0, config=OrderConfig(), resampled=True
    )
    distinct = len(set(places(one, 0, 2000 // 32 * 32)))
    assert 0.55 < distinct / 2000 < 0.70  # 1 − 1/e = 0.632 in the limit


def test_shuffling_mixes_the_shards_of_a_window() -> None:
    config = OrderConfig(num_lanes=1, window_shards=6, chunk_samples=8, block_samples=64)
    one = SampleOrder([SIZES], [1.0], global_batch_size=32, seed=0, config=config, resampled=False)
    assert len({shard for shard, _ in places(one, 0, 64)}) >= 3


def test_impossible_lanes_are_refused() -> None:
    with pytest.raises(DataError, match="num_lanes=5 does not divide the global batch 32"):
        order(config=OrderConfig(num_lanes=5))
    with pytest.raises(DataError, match="10 samples are too few for 32 lanes"):
        SampleOrder(
            [np.array([10])], [1.0], global_batch_size=32, seed=0, config=OrderConfig(), resampled=False
        )


@pytest.mark.parametrize(("batch", "lanes"), [(64, 64), (96, 32), (33_792, 64), (90_112, 64), (7, 1)])
def test_lanes_are_a_power_of_two_that_divides_the_batch(batch: int, lanes: int) -> None:
    assert num_lanes_of(OrderConfig(), batch) == lanes


PINNED = np.array([0, 1, 9, 31, 32, 500, 799, 800, 123456])


@pytest.mark.parametrize(
    ("resampled", "shards", "samples"),
    [
        (False, [3, 3, 1, 2, 3, 3, 4, 5, 1], [9, 13, 27, 30, 3, 18, 52, 27, 29]),
        (True, [4, 4, 5, 0, 4, 5, 3, 3, 0], [9, 13, 19, 46, 3, 18, 12, 19, 63]),
    ],
)
def test_the_order_of_published_runs_stays_what_it_was(
    resampled: bool, shards: list[int], samples: list[int]
) -> None:
    found = order(resampled=resampled).locate(PINNED)
    assert (found.shards.tolist(), found.samples.tolist()) == (shards, samples)


def test_augmentation_belongs_to_the_position() -> None:
    whole = augmentation_uniforms(3, 0, 100)
    assert whole.shape == (100, 16)
    assert np.array_equal(augmentation_uniforms(3, 40, 7), whole[40:47])
    assert len(np.unique(whole)) == 1600
    assert not np.array_equal(augmentation_uniforms(4, 0, 100), whole)
