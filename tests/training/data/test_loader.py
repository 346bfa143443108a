"""Batches: the same for any ranks and workers, whole even where samples are broken."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from conf.schema import DataConfig, OrderConfig, SourceConfig
from sweeps.errors import DataError
from tests.configs import train_config
from tests.training.data.shards import write_shard
from training.data.indexing import index_in_memory
from training.data.loader import Batch, StepDataset, batches
from training.distributed import World

NUM_SHARDS, PER_SHARD = 4, 24
BATCH = 16
BROKEN: Mapping[str, dict[str, bytes | None]] = {
    "1-5": {"jpg": b"no image"},
    "2-7": {"txt": None},
    "3-1": {"jpg": None},
    "3-2": {"txt": b"\xff\xfe"},
}


def jpeg(number: int) -> bytes:
    content = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "JPEG")
    return content.getvalue()


def shards(folder: Path, broken: Mapping[str, dict[str, bytes | None]]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for shard in range(NUM_SHARDS):
        members: dict[str, bytes] = {}
        for n in range(PER_SHARD):
            key = f"{shard}-{n}"
            own = {"jpg": jpeg(100 * shard + n), "txt": key.encode(), **broken.get(key, {})}
            members |= {
                f"{key}.{kind}": content for kind, content in own.items() if content is not None
            }
        paths.append(write_shard(folder / f"{shard}.tar", members))
    return paths


def as_numbers(texts: list[str]) -> torch.Tensor:
    """Stand for a tokenizer: `3-12` becomes 3, 12."""
    return torch.tensor([[int(part) for part in text.split("-")] for text in texts])


def loaded(
    paths: list[Path],
    steps: range = range(12),
    *,
    num_workers: int = 0,
    world: World | None = None,
    max_bad_fraction: float = 1.0,
) -> list[Batch]:
    order = OrderConfig(num_lanes=4, window_shards=2, chunk_samples=4, block_samples=16)
    data = DataConfig(name="D", order=order, max_bad_fraction=max_bad_fraction)
    train = train_config(global_batch_size=BATCH, data=data)
    dataset = StepDataset(train, [index_in_memory(paths)], as_numbers, 16, world or World())
    return list(batches(dataset, steps, num_workers=num_workers, pin_memory=False))


def rows(found: list[Batch]) -> list[tuple[bytes, bytes]]:
    """Return image and tokens of each position."""
    return [
        (image.tobytes(), text.tobytes())
        for batch in found
        for image, text in zip(batch.images.numpy(), batch.tokens.numpy(), strict=True)
    ]


def test_sources_are_mixed_by_weight_and_each_is_replaced_from_itself(tmp_path: Path) -> None:
    indexes = [
        index_in_memory(shards(tmp_path / "a", {})),
        index_in_memory(shards(tmp_path / "b", BROKEN)),
    ]
    sources = (
        SourceConfig(name="a", shards="a.tar", weight=3),
        SourceConfig(name="b", shards="b.tar", weight=1),
    )
    data = DataConfig(name="M", sources=sources, max_bad_fraction=1.0)
    dataset = StepDataset(
        train_config(global_batch_size=BATCH, data=data), indexes, as_numbers, 16, World()
    )
    found = list(batches(dataset, range(32), num_workers=0, pin_memory=False))
    assert len(rows(found)) == 32 * BATCH
    assert {Path(one.shard).parent.name for batch in found for one in batch.broken} == {"b"}
    assert {path.parent.name for path in dataset.shards_of(0)} == {"a", "b"}


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
@pytest.mark.parametrize("num_workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_same_batches(tmp_path: Path, num_workers: int) -> None:
    paths = shards(tmp_path, BROKEN)
    threads = torch.get_num_threads()
    alone, found = loaded(paths), loaded(paths, num_workers=num_workers)
    assert rows(found) == rows(alone)
    assert [batch.broken for batch in found] == [batch.broken for batch in alone]
    assert all(batch.images.is_shared() for batch in found)  # type: ignore[no-untyped-call]
    assert torch.get_num_threads() == threads


def test_ranks_together_have_the_batches_of_one(tmp_path: Path) -> None:
    paths = shards(tmp_path, BROKEN)
    halves = [loaded(paths, world=World(rank, 2, rank)) for rank in (0, 1)]
    together = [row for pair in zip(*halves, strict=True) for half in pair for row in rows([half])]
    assert together == rows(loaded(paths))


def test_a_resume_begins_where_it_was_left(tmp_path: Path) -> None:
    paths = shards(tmp_path, {})
    assert rows(loaded(paths, range(7, 12))) == rows(loaded(paths))[7 * BATCH :]


def test_a_broken_sample_changes_no_position_but_its_own(tmp_path: Path) -> None:
    whole = rows(loaded(shards(tmp_path / "whole", {})))
    found = loaded(paths := shards(tmp_path / "broken", BROKEN))
    names = [
        f"{a}-{b}" for batch in loaded(shards(tmp_path / "whole", {})) for a, b in batch.tokens.tolist()
    ]
    for position, (was, now) in enumerate(zip(whole, rows(found), strict=True)):
        assert (was == now) == (names[position] not in BROKEN)
    reported = [one for batch in found for one in batch.broken]
    assert {one.key for one in reported} == BROKEN.keys()
    reasons = {one.key: one.reason for one in reported}
    assert reasons["1-5"] == "8 bytes are no image in a known format"
    assert reasons["2-7"] == "it has ['jpg'], and no txt"
    assert reasons["3-1"] == "it has ['txt'], and no image"
    assert {Path(one.shard) for one in reported} == set(paths[1:])


def test_a_replacement_differs_from_position_to_position(tmp_path: Path) -> None:
    broken = {f"0-{n}": BROKEN["1-5"] for n in range(PER_SHARD)}
    found = loaded(shards(tmp_path, broken))
    assert all(text[0] != 0 for batch in found for text in batch.tokens.tolist())
    whole = loaded(shards(tmp_path, {}))
    replaced = [
        tuple(now)
        for one, other in zip(whole, found, strict=True)
        for was, now in zip(one.tokens.tolist(), other.tokens.tolist(), strict=True)
        if was[0] == 0
    ]
    assert len(set(replaced)) > len(replaced) / 2


def test_more_broken_samples_than_allowed_stop_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = shards(tmp_path, BROKEN)
    with pytest.raises(
        DataError, match=r"max_bad_fraction=0.0002; the last: .*\d.tar, sample \d-\d: "
    ) as no:
        loaded(paths, max_bad_fraction=2e-4)
    assert str(no.value).startswith("3 of ")
    assert caplog.text.count("replaced a broken sample: ") == 3


@pytest.mark.parametrize("num_workers", [0, 2])
def test_data_that_is_none_stops_the_run_with_shard_and_key(tmp_path: Path, num_workers: int) -> None:
    broken = {f"{s}-{n}": BROKEN["1-5"] for s in range(NUM_SHARDS) for n in range(PER_SHARD)}
    message = r"20 samples drawn in a row are broken, the first: .*\d.tar, sample \d-\d+: 8 bytes are"
    with pytest.raises(DataError, match=message):
        loaded(shards(tmp_path, broken), num_workers=num_workers)
