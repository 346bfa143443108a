"""Stages that a run declares: where they begin and end, what holds in them, and their keys."""

from pathlib import Path
from typing import Any

import pytest

from conf.schema import (
    CheckpointConfig,
    ResourceConfig,
    RunConfig,
    ScheduleConfig,
    ScheduleName,
    StageConfig,
)
from sweeps.composing.compose import compose_request
from sweeps.costs.storage import storage_of
from sweeps.errors import UsageError
from sweeps.folders import Root
from sweeps.runs import frozen
from sweeps.runs.expansion import Segment, expand
from sweeps.runs.stages import milestones_of, stages_of
from tests.commands import OWN_CONF
from tests.configs import expansion_of, run_config

LOW = StageConfig(samples=640, model={"image_size": 16}, optim={"lr": 2e-3}, global_batch_size=64)
HIGH = StageConfig(samples=320, schedule={"warmup": "2 steps"}, global_batch_size=32)


def staged(*stages: StageConfig, **given: Any) -> RunConfig:
    return run_config(**{"samples_seen": None, "stages": stages, **given})


def segments(config: RunConfig) -> list[Segment]:
    return [*expansion_of(config).segments.values()]


def test_stages_follow_each_other_with_their_own_config() -> None:
    low, high = segments(staged(LOW, HIGH))
    assert (low.start, low.end, high.stage_start, high.end) == (0, 640, 640, 960)
    assert (low.parent, high.parent, low.keep_state) == (None, low.key, True)
    assert (low.train.model.image_size, high.train.model.image_size) == (16, None)
    assert (low.train.optim.lr, high.train.optim.lr) == (2e-3, 1e-3)
    assert (low.train.schedule.total_steps, high.train.schedule.total_steps) == (10, 10)
    assert (low.train.schedule.warmup_steps, high.train.schedule.warmup_steps) == (1, 2)
    assert (low.train.fresh_optimizer, high.train.fresh_optimizer) == (False, True)


def test_a_first_stage_that_changes_nothing_is_the_run_of_its_length() -> None:
    alone = expansion_of(run_config())
    (run,) = expansion_of(staged(StageConfig(samples=640), HIGH)).runs
    assert run.segments[0] == alone.runs[0].run_id


def test_runs_that_agree_on_their_first_stage_share_it() -> None:
    together = expansion_of(staged(LOW, HIGH), staged(LOW, StageConfig(samples=640)))
    assert len(together.segments) == 3


def test_a_stage_ends_with_a_step_and_the_run_where_it_is_declared() -> None:
    first, second = stages_of(staged(StageConfig(samples=600), StageConfig(samples=600)))
    assert (first.end, second.start, second.end) == (640, 640, 1200)


def test_a_stage_may_have_a_trunk_and_a_cooldown() -> None:
    schedule = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="1 steps")
    found = stages_of(staged(LOW, StageConfig(samples=640), schedule=schedule))
    assert [(s.start, s.end) for s in found] == [(0, 512), (512, 640), (640, 1152), (1152, 1280)]
    assert [s.train.fresh_optimizer for s in found] == [False, False, True, False]


def test_milestones_snap_inside_their_stage_and_each_stage_ends_with_one() -> None:
    kept = CheckpointConfig(milestones=(100, 650, 700))
    assert milestones_of(staged(LOW, HIGH, checkpoints=kept)) == [128, 640, 672, 704, 960]


def test_what_stages_leave_is_counted() -> None:
    assert storage_of(segments(staged(LOW, HIGH))).files_end == 2 + 2 * 7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": {"name": "x"}}, r"stages\[1\].model cannot change 'name'"),
        ({"optim": {"Lr": 1.0}}, "cannot change 'Lr'. Did you mean lr"),
        ({"optim": {"lr": -1.0}}, r"stages\[1\].optim: lr: Expected"),
        ({"global_batch_size": 3}, "does not divide"),
    ],
)
def test_impossible_stages_are_refused(given: dict[str, Any], message: str) -> None:
    two = ResourceConfig(num_ranks=2)
    with pytest.raises(UsageError, match=message):
        expansion_of(staged(LOW, StageConfig(samples=64, **given), resources=two))


def test_a_stage_within_a_step_of_the_one_before_is_refused() -> None:
    with pytest.raises(UsageError, match=r"stages\[1\].samples=1 is less than a step"):
        stages_of(staged(StageConfig(samples=1), StageConfig(samples=1)))


def test_the_samples_of_a_run_are_not_declared_twice() -> None:
    with pytest.raises(UsageError, match="samples_seen is the sum of stages, 960"):
        stages_of(staged(LOW, HIGH, samples_seen=1280))


def test_stages_may_be_a_value_of_an_axis_and_come_back_from_disk(tmp_path: Path) -> None:
    request = compose_request([OWN_CONF, "sweep=staged"])
    expansion = expand(request.sweep, request.cells, request.configs)
    whole, staged = expansion.runs
    assert (whole.samples_seen, len(whole.segments)) == (staged.samples_seen, 1) == (640, 1)
    assert [expansion.segments[key].train.global_batch_size for key in staged.segments] == [48, 32]
    root = Root(tmp_path)
    root.frozen("any").parent.mkdir()
    launched = frozen.FrozenSweep(
        expansion=expansion, overrides=(), launch=request.launch, conf_digest=""
    )
    frozen.freeze(root, launched)
    assert frozen.load(root, "staged") == launched


def test_the_published_recipe_has_its_published_sizes() -> None:
    request = compose_request(["sweep=clipa_v2"])
    low, middle, high = stages_of(request.configs[0])
    assert [s.train.model.image_size for s in (low, middle, high)] == [84, 224, 336]
    assert [s.train.model.context_length for s in (low, middle, high)] == [8, None, None]
    assert high.end == 13_440_000_000
    assert [s.train.optim.lr * 256 / s.train.global_batch_size for s in (low, middle, high)] == (
        pytest.approx([8e-6, 4e-7, 1e-7])
    )
