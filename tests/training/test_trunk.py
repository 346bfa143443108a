"""A constant learning rate with cooldowns: what horizons share is trained once, and is exact."""

from pathlib import Path

from evaluation import results
from sweeps.folders import Root, make_folders
from sweeps.runs.expansion import Expansion
from tests.commands import OWN_CONF, run
from tests.evaluation.scored import score
from tests.training.segments import expansion_of, order_for, train
from training.checkpoints.done import read_done

UNIT = 640


def trained(root: Root, expansion: Expansion, data: Path) -> int:
    """Train all segments of a sweep in order, and score its runs; return how many samples that took."""
    make_folders(root)
    samples = 0
    for segment in expansion.segments.values():
        samples += train(order_for(segment, root.segments, data)).samples_seen - segment.start
    ends = [expansion.segments[one.run_id] for one in expansion.runs]
    score(root, expansion, ends, data / "tiny-test")
    return samples


def outcome(root: Root, run_id: str) -> tuple[str, list[object]]:
    """Return the digest of a run's final weights, and its scores."""
    marker = read_done(root.segment(run_id))
    assert marker is not None
    frame = results.load(root.path, segment=run_id).set_index("eval")
    accuracy = frame.loc["zeroshot_classification", "acc1"]
    return marker.weights_sha256, [accuracy, frame.loc["contrastive_loss", "contrastive_loss"]]


def test_four_horizons_train_9_4_units_and_equal_each_run_alone(tmp_path: Path, data: Path) -> None:
    together, shared = expansion_of("sweep=horizons"), Root(tmp_path / "together")
    assert [one.samples_seen / UNIT for one in together.runs] == [1, 2, 4, 8]
    assert trained(shared, together, data) == 9.4 * UNIT
    for one in together.runs:
        alone = expansion_of("sweep=horizons", f"samples_seen={one.samples_seen}")
        own = Root(tmp_path / f"alone-{one.samples_seen}")
        assert trained(own, alone, data) == one.samples_seen
        assert outcome(own, one.run_id) == outcome(shared, one.run_id)


def test_the_plan_says_what_sharing_saves(root: Path) -> None:
    shown = run("launcher", "plan", OWN_CONF, "sweep=horizons", root=root)
    assert f"saves {round((15 - 9.4) * UNIT):,} samples" in shown.stdout
