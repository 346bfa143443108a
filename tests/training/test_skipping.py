"""A step without a finite loss changes nothing and is counted; too many in a row end the run."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sweeps.errors import NotFinite
from tests.training.ranks import on_ranks
from tests.training.segments import expansion_of, order_for, train
from tests.training.steps import bench
from training.checkpoints import checkpoint
from training.checkpoints.done import done_path, read_done
from training.checkpoints.saved import state_path
from training.checkpoints.state import gathered_weights
from training.distributed import World

SHORT = ("sweep=trunk", "samples_seen=640", "schedule=constant")
FAULTY = "procedure._target_=tests.training.faulty.Faulty"


def test_skipped_steps_are_counted_over_a_resume(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of(*SHORT, FAULTY).segments.values()
    order = order_for(segment, tmp_path, data, save_every_s=0.0)
    straight = train(order)
    end = state_path(order.folder, 640)
    tensors, position = checkpoint.read(end)
    assert 0 < position.skipped_steps < 20
    assert tensors["optimizer.step.logit_scale"] == 20 - position.skipped_steps
    end.unlink()
    done_path(order.folder).unlink()
    assert train(replace(order, attempt=2)).weights_sha256 == straight.weights_sha256
    resumed = checkpoint.read(end)[1]
    assert (resumed.skipped_steps, resumed.skipped_in_a_row) == (
        position.skipped_steps,
        position.skipped_in_a_row,
    )


def take_steps(data: Path, folder: Path, world: World) -> None:
    """Write which of some steps one of several ranks skipped, and its weights in the end."""
    one = bench(data, FAULTY, world=world)
    stepper = one.stepper(world=world)
    reports = [stepper.take(step, one.batch(step), 1e-3) for step in range(8)]
    digest = checkpoint.tensors_digest(gathered_weights(one.model, World()))
    (folder / f"{world.rank}.txt").write_text(f"{[r.is_skipped for r in reports]} {digest}")


def test_all_ranks_skip_what_one_of_them_cannot_compute(tmp_path: Path, data: Path) -> None:
    on_ranks(partial(take_steps, data, tmp_path), 2, tmp_path)
    first, second = ((tmp_path / f"{rank}.txt").read_text() for rank in (0, 1))
    assert first == second
    assert "True" in first
    assert "False" in first


def test_a_run_that_diverged_is_stopped_and_says_where(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of(*SHORT, "optim.lr=1e30", "optim.max_skipped_steps=3").segments.values()
    order = order_for(segment, tmp_path, data)
    words = (
        r"no finite loss or gradient in 4 steps in a row, the last one of the samples \d+ to \d+, "
        r"from \S+/tiny/0000\d.tar.*; lower optim.lr or lengthen schedule.warmup"
    )
    with pytest.raises(NotFinite, match=words):
        train(order)
    assert read_done(order.folder) is None


def test_how_many_steps_may_be_skipped_makes_no_other_run() -> None:
    keys = [set(expansion_of(*SHORT, *more).segments) for more in ((), ("optim.max_skipped_steps=3",))]
    assert keys[0] == keys[1]
