"""What ranks keep of a model that is spread over them."""

from dataclasses import replace
from pathlib import Path

from conf.schema import ResourceConfig, Sharding
from tests.training.ranks import start_ranks
from tests.training.segments import expansion_of, order_for, train
from training.checkpoints import checkpoint
from training.checkpoints.done import done_path, read_done
from training.checkpoints.saved import saved_samples, state_paths, weights_path
from training.checkpoints.state import WEIGHTS, under
from training.exits import RankExit


def test_a_spread_state_is_kept_in_parts_and_goes_on_whole(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of("sweep=trunk", "samples_seen=640", "schedule=constant").segments.values()
    resources = ResourceConfig(num_ranks=2, sharding=Sharding.fsdp2)
    order = order_for(segment, tmp_path, data, resources=resources, save_every_s=0.0)
    assert [rank.wait() for rank in start_ranks(order)] == [RankExit.finished] * 2
    marker = read_done(order.folder)
    assert marker is not None
    assert saved_samples(order.folder, "state") == [640]
    halves = [path.stat().st_size for path in state_paths(order.folder, 640)]
    state, _ = checkpoint.read_state(order.folder, 640)
    assert sum(halves) < 1.1 * sum(tensor.nbytes for tensor in state.values())
    assert max(halves) < 0.6 * sum(halves)
    milestone, _ = checkpoint.read(weights_path(order.folder, 640))
    for weights in (milestone, under(state, WEIGHTS)):
        assert checkpoint.tensors_digest(weights) == marker.weights_sha256
    done_path(order.folder).unlink()
    alone = replace(order, item=replace(order.item, resources=ResourceConfig()))
    assert train(alone).weights_sha256 == marker.weights_sha256
