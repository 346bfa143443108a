"""Which trainings are handed over: the rows of the planner's table."""

from dataclasses import replace
from typing import Any

import pytest

from conf.schema import ResourceConfig, ScheduleConfig, ScheduleName
from launcher.reconcile.actions import NoteEnded, Submit
from launcher.reconcile.observe import SegmentEvidence
from launcher.records.ledger import Act
from sweeps.costs.cost import NO_HOURS
from sweeps.work.items import TrainItem
from sweeps.work.lease import Lease
from sweeps.work.outcome import Outcome
from tests.configs import expansion_of, run_config
from tests.launcher.worlds import (
    DONE,
    HERE,
    POLICY,
    TWO,
    A,
    B,
    history,
    job,
    keys_of,
    lease,
    observed,
    planned,
    submitted,
    submitting,
    work,
)


def test_what_is_missing_is_submitted_together() -> None:
    assert keys_of(planned(work(TWO), observed(TWO))) == [[A, B]]


def test_nothing_is_done_on_an_unknown_queue() -> None:
    known = history(submitting("s", A), submitted("s"))
    assert planned(work(TWO), observed(TWO, asked_at=None, known=known)) == []


def test_what_is_done_is_left_alone() -> None:
    assert keys_of(planned(work(TWO), observed(TWO, evidence={A: DONE}))) == [[B]]


@pytest.mark.parametrize("is_running", [True, False])
def test_what_the_queue_lists_is_left_alone(is_running: bool) -> None:
    known = history(submitting("s", A), submitted("s"))
    world = observed(TWO, job("s", is_running=is_running), known=known)
    assert planned(work(TWO), world) == [Submit(items=(work(TWO).train[1],))]


def test_an_array_covers_the_indices_that_are_listed() -> None:
    known = history(submitting("s", A, B), submitted("s"))
    assert keys_of(planned(work(TWO), observed(TWO, job("s", 1), known=known))) == [[A]]


@pytest.mark.parametrize("num_jobs", [2, 3])
def test_what_ends_before_an_attempt_begins_is_tried_so_often_and_no_more(num_jobs: int) -> None:
    names = [f"s{number}" for number in range(num_jobs)]
    lines = [line for name in names for line in (submitting(name, A), submitted(name))]
    ends = [{"act": Act.ended, "submission": n, "hours": (NO_HOURS,)} for n in names[:-1]]
    actions = planned(work(TWO), observed(TWO, known=history(*lines, *ends)))
    assert actions[0] == NoteEnded(submission=names[-1])
    assert keys_of(actions) == [[A, B] if num_jobs < POLICY.fruitless_attempts else [B]]


@pytest.mark.parametrize(
    ("outcomes", "is_tried_again"),
    [
        ([Outcome.crashed], True),
        ([Outcome.crashed, Outcome.stalled], True),
        ([Outcome.crashed] * 4, False),
        ([Outcome.crashed] * 3 + [Outcome.stopped] * 2, True),
        ([Outcome.crashed] * 3 + [Outcome.stopped, Outcome.crashed], False),
        ([Outcome.stopped] * 9, True),
        ([Outcome.time_limit] * 4, False),
        ([Outcome.not_finite], False),
        ([Outcome.bad_data], False),
        ([None], True),
    ],
)
def test_attempts_without_new_samples_are_limited(outcomes: list[Any], is_tried_again: bool) -> None:
    evidence = {A: SegmentEvidence(lease=lease(*outcomes)), B: DONE}
    assert keys_of(planned(work(TWO), observed(TWO, evidence=evidence))) == (
        [[A]] if is_tried_again else []
    )


def test_attempts_that_bring_new_samples_are_not_limited() -> None:
    *history_, last = (
        replace(a, samples=64 * a.number) for a in lease(*[Outcome.crashed] * 9).attempts
    )
    growing = SegmentEvidence(lease=Lease(attempt=last, history=tuple(history_)))
    assert keys_of(planned(work(TWO), observed(TWO, evidence={A: growing, B: DONE}))) == [[A]]


def test_a_child_waits_for_its_parent() -> None:
    schedule = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="1 steps")
    chain = expansion_of(run_config(schedule=schedule))
    trunk, cooldown = chain.segments
    assert keys_of(planned(work(chain), observed(chain))) == [[trunk]]
    assert keys_of(planned(work(chain), observed(chain, evidence={trunk: DONE}))) == [[cooldown]]


def test_items_of_one_shape_go_out_together_and_arrays_are_split() -> None:
    wide = ResourceConfig(num_ranks=2)
    mixed = expansion_of(
        *(run_config(seed=s, resources=wide if s == 1 else ResourceConfig()) for s in range(6))
    )
    a, b, c, d, e, f = mixed.segments
    assert keys_of(planned(work(mixed), observed(mixed), max_array_size=2)) == [
        [a, c],
        [d, e],
        [f],
        [b],
    ]


@pytest.mark.parametrize(
    ("free", "expected"), [(2, [[A], [B]]), (1, [[A]]), (0, [])], ids=["both", "one", "none"]
)
def test_on_one_machine_no_more_starts_than_there_are_cores(
    free: int, expected: list[list[str]]
) -> None:
    world = observed(TWO, free_cores=free, all_cores=2)
    assert keys_of(planned(work(TWO), world, max_array_size=1)) == expected


def test_an_item_larger_than_the_machine_has_it_to_itself() -> None:
    large = expansion_of(run_config(resources=ResourceConfig(num_ranks=4)))
    assert keys_of(planned(work(large), observed(large, free_cores=2, all_cores=2))) == [
        [*large.segments]
    ]
    assert keys_of(planned(work(large), observed(large, free_cores=1, all_cores=2))) == []


def test_a_second_plan_right_after_the_first_is_carried_out_is_empty() -> None:
    (action,) = planned(work(TWO), observed(TWO))
    assert isinstance(action, Submit)
    assert all(isinstance(item, TrainItem) for item in action.items)
    known = history(submitting("s", *(item.key for item in action.items)), submitted("s"))
    pending = job("s", 0, 1, is_running=False)
    assert planned(work(TWO), observed(TWO, pending, known=known)) == []
    assert known.submissions["s"].where == HERE
