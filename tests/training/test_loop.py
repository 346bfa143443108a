"""What training leaves behind, and how it gives up."""

from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import ResourceConfig
from sweeps import durable
from sweeps.errors import DataError, Superseded
from tests.training.ranks import start_ranks
from tests.training.segments import expansion_of, order_for, train
from training.checkpoints import checkpoint, keeper
from training.checkpoints.done import done_path, read_done
from training.checkpoints.saved import saved_samples, state_path, weights_path
from training.exits import RankExit
from training.telemetry.metrics import last_moment, metrics_path


def test_a_segment_leaves_its_milestones_and_no_state(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=tiny", "samples_seen=1280").segments.values()
    order = order_for(segment, tmp_path, data, save_every_s=0.0)
    marker = train(order)
    assert saved_samples(order.folder, "weights") == [640, 1280]
    assert saved_samples(order.folder, "state") == []
    assert (marker.samples_seen, marker.samples_trained, marker.steps) == (1280, 1280, 40)
    weights, position = checkpoint.read(weights_path(order.folder, 1280))
    assert checkpoint.tensors_digest(weights) == marker.weights_sha256
    assert position.key == segment.key
    moment = last_moment(metrics_path(order.folder, 1))
    assert moment is not None
    assert moment.samples_per_s > 0


def test_a_declared_number_that_steps_do_not_divide_is_kept(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of(
        "sweep=trunk", "samples_seen=640", "schedule=cosine", "+epochs=null", "global_batch_size=48"
    ).segments.values()
    marker = train(order_for(segment, tmp_path, data))
    assert (marker.samples_seen, marker.samples_trained) == (640, 672)


def test_a_trunk_keeps_its_last_state_for_children(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    order = order_for(segment, tmp_path, data, save_every_s=0.0)
    train(order)
    assert saved_samples(order.folder, "state") == [640]


def test_resuming_walks_back_past_a_torn_state(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    straight = train(order_for(segment, tmp_path / "a", data)).weights_sha256
    order = order_for(segment, tmp_path / "b", data)
    state_path(order.folder, 320).write_bytes(b"torn")
    assert train(order).weights_sha256 == straight


def with_broken_images(data: Path, folder: Path, count: int) -> Path:
    """Copy the shards of `tiny`, and spoil the first `count` images of each."""
    (folder / "tiny").mkdir(parents=True)
    for path in sorted((data / "tiny").glob("*.tar")):
        content = path.read_bytes().replace(b"\xff\xd8\xff", b"\x00\x00\x00", count)
        (folder / "tiny" / path.name).write_bytes(content)
    return folder


def test_broken_images_are_replaced_and_counted_over_all_ranks(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    spoilt = with_broken_images(data, tmp_path / "data", 2)
    counts = []
    for num_ranks in (1, 2):
        order = order_for(
            segment, tmp_path / f"{num_ranks}", spoilt, resources=ResourceConfig(num_ranks=num_ranks)
        )
        assert [rank.wait() for rank in start_ranks(order)] == [RankExit.finished] * num_ranks
        moment = last_moment(metrics_path(order.folder, 1))
        counts.append(moment and moment.num_broken)
    assert counts[0] in range(1, 20)  # six of 600 images, and 640 samples
    assert counts[0] == counts[1]


def test_data_of_broken_images_stops_with_shard_and_sample(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    with pytest.raises(DataError, match=r"tiny/0000\d.tar, sample \d+: "):
        train(order_for(segment, tmp_path, with_broken_images(data, tmp_path / "data", -1)))


def test_a_segment_does_not_go_on_with_other_data(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    order = order_for(segment, tmp_path, with_broken_images(data, tmp_path / "data", 0))
    train(order)
    done_path(order.folder).unlink()
    (source,) = order.item.sources
    fewer = replace(source, shards=source.shards.replace("2}", "1}"))
    with pytest.raises(DataError, match="the shards of tiny hold other samples"):
        train(replace(order, item=replace(order.item, sources=(fewer,))))


@pytest.mark.parametrize("is_looked_for", [True, False])
def test_an_attempt_with_a_successor_ends_and_publishes_nothing(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, is_looked_for: bool
) -> None:
    monkeypatch.setattr(keeper, "LEASE_POLL_S", 0.0 if is_looked_for else 1e9)
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    order = order_for(segment, tmp_path, data)
    durable.publish(order.folder / "lease.2", b"{}")
    with pytest.raises(Superseded):
        train(order)
    moment = last_moment(metrics_path(order.folder, 1))
    assert moment is not None
    assert (moment.samples_seen < 640) == is_looked_for
    assert saved_samples(order.folder, "weights") == []
    assert read_done(order.folder) is None
