"""Several sources, mixed by weight: still a pure function of (seed, position)."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.schema import DataConfig, OrderConfig, SourceConfig, SubsetConfig
from sweeps.errors import UsageError
from sweeps.runs.checks import refuse_contradictions
from sweeps.runs.identity import Keys
from tests.configs import run_config, train_config
from training.data.mixture import Mixture
from training.data.order import SampleOrder

SIZES = [np.array([70, 31, 100, 64, 55, 80]), np.array([300, 300]), np.array([13, 0, 19])]
CONFIG = OrderConfig(num_lanes=4, window_shards=2, chunk_samples=8, block_samples=32)
BATCH = 32

weights = st.lists(st.floats(0.01, 10.0), min_size=3, max_size=3)


def order(weights: list[float], **given: Any) -> SampleOrder:
    defaults: dict[str, Any] = {"global_batch_size": BATCH, "seed": 1, "config": CONFIG}
    return SampleOrder(SIZES, weights, **{**defaults, "resampled": False, **given})


def steps(one: SampleOrder, first: int, count: int) -> list[tuple[int, int, int]]:
    return list(one.locate(np.arange(BATCH * first, BATCH * (first + count))))


@settings(max_examples=20)
@given(weights, st.integers(0, 30), st.sampled_from([1, 2, 4]), st.booleans())
def test_any_rank_finds_its_part_of_any_step_by_itself(
    weights: list[float], step: int, num_ranks: int, resampled: bool
) -> None:
    whole = steps(order(weights, resampled=resampled), 0, step + 1)[BATCH * step :]
    rows = BATCH // num_ranks
    alone = [
        list(order(weights, resampled=resampled).locate(np.arange(first, first + rows)))
        for first in range(BATCH * step, BATCH * (step + 1), rows)
    ]
    assert [place for part in alone for place in part] == whole


@given(weights)
def test_every_source_has_its_share_of_many_samples(weights: list[float]) -> None:
    mixture = Mixture(weights, seed=1, num_lanes=1)
    found = np.bincount(mixture.locate(0, np.arange(90_000, 100_000))[0], minlength=3)
    # At both ends at most one block is counted in part.
    block = max(1024, 2 * sum(weights) / min(weights) + 1)
    assert np.abs(found - 10_000 * np.array(weights) / sum(weights)).max() <= 2 * block


def test_a_share_is_exact_at_every_block() -> None:
    mixture = Mixture([1.0, 2.0, 1.0], seed=0, num_lanes=1)
    sources, own = mixture.locate(0, np.arange(10 * 1024))
    assert np.bincount(sources).tolist() == [2560, 5120, 2560]
    for source in range(3):
        assert own[sources == source].tolist() == list(range(np.sum(sources == source)))
    assert len(np.unique(sources[:20])) == 3  # mixed, not one after the other


def test_a_pass_of_each_source_visits_each_of_its_samples_once() -> None:
    places = steps(order([1.0, 1.0, 1.0]), 0, 128)  # a block of each lane
    for source, sizes in enumerate(SIZES):
        seen = Counter(place[1:] for place in places if place[0] == source)
        passes = seen.total() / sizes.sum()
        assert len(seen) == sizes.sum()
        assert all(abs(count - passes) <= 1 for count in seen.values())


def test_a_heavier_source_changes_how_often_another_is_visited_but_not_in_which_order() -> None:
    def of_second(weights: list[float]) -> list[tuple[int, int, int]]:
        found = order(weights, config=OrderConfig(num_lanes=1)).locate(np.arange(4096))
        return [place for place in found if place[0] == 1]

    some, more = of_second([1.0, 1.0, 1.0]), of_second([1.0, 5.0, 1.0])
    assert len(some) < len(more)
    assert more[: len(some)] == some


MIXED = DataConfig(
    name="M",
    sources=(
        SourceConfig(name="a", shards="a.tar", weight=1.0),
        SourceConfig(name="b", shards="b.tar", weight=3.0, subset=SubsetConfig(name="s", uids="u.npy")),
    ),
)


def key(sources: tuple[SourceConfig, ...]) -> str:
    return Keys().of(None, train_config(data=DataConfig(name="M", sources=sources)), 640)


def test_sources_and_weights_are_science_and_paths_are_not() -> None:
    one, other = MIXED.sources
    moved = SourceConfig(
        name="b", shards="/x.tar", weight=3.0, subset=SubsetConfig(name="s", uids="/x.npy")
    )
    assert key((one, moved)) == key((one, other))
    heavier = SourceConfig(name="a", shards="a.tar", weight=2.0)
    whole = SourceConfig(name="b", shards="b.tar", weight=3.0)
    assert len({key((one, other)), key((heavier, other)), key((one, whole)), key((other, one))}) == 4


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shards": "c.tar"}, "data.shards and data.sources exclude each other"),
        ({"sources": (MIXED.sources[0],) * 2}, "data.sources of M: two have the same name"),
        (
            {"sources": (SourceConfig(name="a", shards="a.tar", subset=SubsetConfig(name="s")),)},
            "data.subset of a: name and uids belong together",
        ),
        (
            {"sources": (MIXED.sources[0], SourceConfig(name="b", shards="b.tar", weight=1e-5))},
            "the weight of b is less than 0.0001 of all",
        ),
    ],
)
def test_sources_that_cannot_be(changed: dict[str, Any], message: str) -> None:
    data = DataConfig(**{"name": "M", "sources": MIXED.sources, **changed})
    with pytest.raises(UsageError, match=message):
        refuse_contradictions(run_config(data=data))
