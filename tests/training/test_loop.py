"""What training leaves behind, and how it gives up."""

from pathlib import Path

import pytest

from sweeps import durable
from sweeps.errors import DataError, Superseded
from tests.training.segments import expansion_of, order_for, train
from training import checkpoint
from training.done import read_done
from training.metrics import last_moment, metrics_path
from training.saved import saved_samples, state_path, weights_path


def test_a_segment_leaves_its_milestones_and_no_state(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=tiny", "samples_seen=2560").segments.values()
    order = order_for(segment, tmp_path, data, save_every_s=0.0)
    marker = train(order)
    assert saved_samples(order.folder, "weights") == [1280, 2560]
    assert saved_samples(order.folder, "state") == []
    assert (marker.samples_seen, marker.samples_trained, marker.steps) == (2560, 2560, 80)
    weights, position = checkpoint.read(weights_path(order.folder, 2560))
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


def test_a_broken_image_stops_with_shard_and_sample(tmp_path: Path, data: Path) -> None:
    broken = tmp_path / "data" / "tiny"
    broken.mkdir(parents=True)
    for path in sorted((data / "tiny").glob("*.tar")):
        content = path.read_bytes().replace(b"\xff\xd8\xff", b"\x00\x00\x00")
        (broken / path.name).write_bytes(content)
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    with pytest.raises(DataError, match=r"tiny/0000\d.tar, sample \d+: "):
        train(order_for(segment, tmp_path, tmp_path / "data"))


def test_an_attempt_with_a_successor_publishes_nothing(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    order = order_for(segment, tmp_path, data)
    durable.publish(order.folder / "lease.2", b"{}")
    with pytest.raises(Superseded):
        train(order)
    assert saved_samples(order.folder, "weights") == []
    assert read_done(order.folder) is None
