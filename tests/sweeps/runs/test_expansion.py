"""Runs become stages, stages become the segments that runs share."""

import pytest

from conf.schema import CheckpointConfig, ResourceConfig, RunConfig, ScheduleConfig, ScheduleName
from sweeps.composing.grid import Cell
from sweeps.errors import UsageError
from sweeps.runs.declared import samples_seen_of
from sweeps.runs.expansion import Expansion, cuts_of, expand, micro_batch
from sweeps.runs.stages import milestones_of, stages_of
from tests.configs import expansion_of, run_config


def cooldown(samples: int, **given: object) -> RunConfig:
    schedule = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="2 steps", cooldown="20%")
    return run_config(**{"samples_seen": samples, "schedule": schedule, **given})


def trained(expansion: Expansion) -> int:
    return sum(segment.end - segment.start for segment in expansion.segments.values())


def test_a_cosine_run_is_one_segment_named_like_the_run() -> None:
    (run,) = expansion_of(run_config()).runs
    (segment,) = expansion_of(run_config()).segments.values()
    assert run.run_id == segment.key
    assert (segment.start, segment.end, segment.parent, segment.keep_state) == (0, 640, None, False)


def test_horizons_of_a_cosine_schedule_share_nothing() -> None:
    expansion = expansion_of(*(run_config(samples_seen=640 * n) for n in (1, 2, 4)))
    assert trained(expansion) == 640 * 7


def test_horizons_of_a_constant_schedule_with_cooldown_share_their_trunk() -> None:
    expansion = expansion_of(*(cooldown(64_000 * n) for n in (1, 2, 4, 8)))
    assert trained(expansion) / 64_000 == pytest.approx(9.4)
    assert sum(run.samples_seen for run in expansion.runs) / 64_000 == 15
    assert [len(run.segments) for run in expansion.runs] == [2, 3, 4, 5]


def test_a_trunk_is_chained_and_its_states_are_kept() -> None:
    expansion = expansion_of(cooldown(640), cooldown(1280))
    first, second = expansion.runs
    trunk, longer, last = (expansion.segments[key] for key in second.segments)
    assert first.segments[0] == trunk.key
    assert (trunk.parent, longer.parent, last.parent) == (None, trunk.key, longer.key)
    assert (trunk.end, longer.start, longer.end, last.start) == (512, 512, 1024, 1024)
    assert [s.keep_state for s in (trunk, longer, last)] == [True, True, False]
    assert last.stage_start == 1024


def test_a_horizon_added_later_keeps_all_keys() -> None:
    before = expansion_of(cooldown(640), cooldown(2560))
    after = expansion_of(cooldown(640), cooldown(1280), cooldown(2560))
    assert {run.run_id for run in before.runs} < {run.run_id for run in after.runs}
    assert before.segments.keys() < after.segments.keys()


def test_a_horizon_taken_alone_starts_from_what_stands() -> None:
    before = expansion_of(cooldown(640), cooldown(1280))
    standing: dict[str, set[int]] = {}
    for cut in cuts_of(before):
        standing.setdefault(cut.stage, set()).add(cut.end)
    cells = [Cell(labels={"number": "0"}, settings=())]
    alone, after = (expand("s", cells, [cooldown(2560)], cuts) for cuts in ({}, standing))
    assert alone.runs[0].run_id == after.runs[0].run_id
    assert alone.segments.keys() < after.segments.keys()
    shared = before.segments.keys() & after.segments.keys()
    assert [after.segments[key].end for key in after.runs[0].segments if key in shared] == [512, 1024]


def test_layout_changes_no_key() -> None:
    wide = run_config(resources=ResourceConfig(num_ranks=8))
    assert expansion_of(wide).runs[0].run_id == expansion_of(run_config()).runs[0].run_id


def test_the_declared_number_of_samples_stands_though_steps_do_not_divide_it() -> None:
    (stage,) = stages_of(run_config(samples_seen=650))
    assert (stage.end, stage.train.schedule.total_steps) == (650, 11)


@pytest.mark.parametrize(
    ("checkpoints", "expected"),
    [
        (CheckpointConfig(), [640]),
        (CheckpointConfig(milestones=(1, 64, 65, 640, 900)), [64, 128, 640]),
        (CheckpointConfig(first_milestone=100), [128, 256, 448, 640]),
        (CheckpointConfig(first_milestone=100, milestone_factor=4), [128, 448, 640]),
    ],
)
def test_milestones_move_up_to_a_step(checkpoints: CheckpointConfig, expected: list[int]) -> None:
    assert milestones_of(run_config(checkpoints=checkpoints)) == expected


def test_epochs_are_milestones() -> None:
    config = run_config(samples_seen=None, epochs=3, samples_per_epoch=200)
    assert samples_seen_of(config) == 600
    assert milestones_of(config) == [256, 448, 600]


def test_milestones_of_a_shared_trunk_are_those_of_all_its_runs() -> None:
    own = [CheckpointConfig(milestones=(64,)), CheckpointConfig(milestones=(128, 1024))]
    expansion = expansion_of(cooldown(640, checkpoints=own[0]), cooldown(1280, checkpoints=own[1]))
    kept = [segment.milestones for segment in expansion.segments.values()]
    assert kept == [(64, 128), (1024,), (640,), (1280,)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (run_config(samples_seen=None), "set samples_seen, or epochs and samples_per_epoch"),
        (
            run_config(epochs=2, samples_per_epoch=100),
            r"640 is not epochs × samples_per_epoch = 2 × 100",
        ),
        (
            run_config(resources=ResourceConfig(num_ranks=3)),
            r"3 ranks × micro-batch × accumulation 1 = global_batch_size 64, but 64 = 3 × 21 × 1 \+ 1",
        ),
        (run_config(resources=ResourceConfig(num_ranks=65)), "does not divide"),
        (cooldown(64), "it must leave some for the trunk"),
    ],
)
def test_an_impossible_run_is_named_with_its_cell(config: RunConfig, message: str) -> None:
    with pytest.raises(UsageError, match=f"run number=0: .*{message}"):
        expansion_of(config)


def test_a_trunk_refuses_a_warmup_in_percent() -> None:
    percent = ScheduleConfig(name=ScheduleName.constant, warmup="10%")
    with pytest.raises(UsageError, match="shared by all horizons"):
        expansion_of(run_config(schedule=percent))


def test_two_cells_of_one_run_are_refused() -> None:
    cells = [Cell(labels={"nodes": label}, settings=()) for label in "12"]
    with pytest.raises(UsageError, match="nodes=1 and nodes=2 are one and the same run"):
        expand("s", cells, [run_config(), run_config(resources=ResourceConfig(num_ranks=2))])


def test_the_micro_batch_is_what_ranks_leave() -> None:
    assert micro_batch(64, ResourceConfig(num_ranks=4)) == 16
    assert micro_batch(64, ResourceConfig(num_ranks=4, accumulation=2)) == 8
