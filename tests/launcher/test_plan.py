"""Every row of the planner's tables."""

from dataclasses import replace
from typing import Any

import pytest

from conf.schema import ResourceConfig, ScheduleConfig, ScheduleName
from evaluation.claims import Claim, Scorer
from launcher.machines.queue import Job
from launcher.reconcile.actions import (
    Action,
    Adopt,
    GiveUp,
    NoteEnded,
    NoteLeft,
    NoteUnlisted,
    Submit,
)
from launcher.reconcile.observe import SegmentEvidence
from launcher.records.lease import Lease
from launcher.records.ledger import Act
from launcher.records.outcome import Outcome
from sweeps.cost import Hours
from sweeps.items import ScoreItem, TrainItem, eval_id
from tests.configs import EVAL, expansion_of, run_config
from tests.launcher.worlds import (
    HERE,
    POLICY,
    asked_of,
    history,
    job,
    lease,
    observed,
    planned,
    runs,
    submitted,
    submitting,
    work,
)

TWO = runs(2)
A, B = TWO.segments
DONE = SegmentEvidence(is_done=True, milestones=frozenset({640}))


def keys(actions: list[Action]) -> list[list[str]]:
    return [[item.key for item in a.items] for a in actions if isinstance(a, Submit)]


def test_what_is_missing_is_submitted_together() -> None:
    assert keys(planned(work(TWO), observed(TWO))) == [[A, B]]


def test_nothing_is_done_on_an_unknown_queue() -> None:
    known = history(submitting("s", A), submitted("s"))
    assert planned(work(TWO), observed(TWO, asked_at=None, known=known)) == []


def test_what_is_done_is_left_alone() -> None:
    assert keys(planned(work(TWO), observed(TWO, evidence={A: DONE}))) == [[B]]


@pytest.mark.parametrize("is_running", [True, False])
def test_what_the_queue_lists_is_left_alone(is_running: bool) -> None:
    known = history(submitting("s", A), submitted("s"))
    world = observed(TWO, job("s", is_running=is_running), known=known)
    assert planned(work(TWO), world) == [Submit(items=(work(TWO).train[1],))]


def test_an_array_covers_the_indices_that_are_listed() -> None:
    known = history(submitting("s", A, B), submitted("s"))
    assert keys(planned(work(TWO), observed(TWO, job("s", 1), known=known))) == [[A]]


def test_a_job_of_that_id_but_another_name_proves_nothing() -> None:
    known = history(submitting("s", A, B), submitted("s", "1"))
    actions = planned(work(TWO), observed(TWO, job("somebody else's", job_id="1"), known=known))
    assert actions[0] == NoteEnded(submission="s")
    assert keys(actions) == [[A, B]]


def test_a_submission_without_an_answer_that_became_a_job_is_adopted() -> None:
    known = history(submitting("s", A, B))
    world = observed(TWO, job("s", 0, 1, job_id="7_[0-1]"), known=known)
    assert planned(work(TWO), world) == [Adopt(submission="s", job_id="7")]


SBATCH_ENDS_AT = POLICY.client_timeout_s + 10.0


@pytest.mark.parametrize(
    ("asked_at", "unlisted_at", "action"),
    [
        (SBATCH_ENDS_AT - 1, None, []),
        (SBATCH_ENDS_AT, None, [NoteUnlisted(submission="s", asked_at=SBATCH_ENDS_AT)]),
        (SBATCH_ENDS_AT + 29, SBATCH_ENDS_AT, []),
        (SBATCH_ENDS_AT + 30, SBATCH_ENDS_AT, [GiveUp(submission="s")]),
    ],
)
def test_a_submission_without_an_answer_is_given_up_after_two_late_answers(
    asked_at: float, unlisted_at: float | None, action: list[Action]
) -> None:
    noted = {"act": Act.unlisted, "submission": "s", "time": unlisted_at}
    lines = [submitting("s", A, B)] + ([noted] if unlisted_at is not None else [])
    actions = planned(work(TWO), observed(TWO, asked_at=asked_at, known=history(*lines)))
    assert [one for one in actions if not isinstance(one, Submit)] == action
    is_given_up = any(isinstance(one, GiveUp) for one in action)
    assert keys(actions) == ([[A, B]] if is_given_up else [])


@pytest.mark.parametrize("act", [Act.lost, Act.refused, Act.ended])
def test_what_a_submission_that_is_over_had_is_submitted_again(act: Act) -> None:
    known = history(submitting("s", A, B), {"act": act, "submission": "s"})
    assert keys(planned(work(TWO), observed(TWO, known=known))) == [[A, B]]


def test_a_submission_that_left_the_queue_is_over() -> None:
    known = history(submitting("s", A, B), submitted("s"))
    actions = planned(work(TWO), observed(TWO, evidence={A: DONE, B: DONE}, known=known))
    assert actions == [NoteEnded(submission="s")]


def test_items_that_left_the_queue_before_others_are_noted_once() -> None:
    lines = [submitting("s", A, B), submitted("s")]
    world = observed(TWO, job("s", 1), evidence={A: DONE}, known=history(*lines))
    assert planned(work(TWO), world) == [NoteLeft(submission="s", indices=(0,))]
    left = {"act": Act.left, "submission": "s", "indices": (0,), "hours": (Hours(core=1.0),)}
    world = observed(TWO, job("s", 1), evidence={A: DONE}, known=history(*lines, left))
    assert planned(work(TWO), world) == []


def test_what_another_cluster_was_given_is_unknown_and_never_gone() -> None:
    known = history(submitting("s", A, where="slurm@elsewhere"), submitted("s"))
    assert planned(work(TWO), observed(TWO, known=known)) == [Submit(items=(work(TWO).train[1],))]


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
    assert keys(planned(work(TWO), observed(TWO, evidence=evidence))) == (
        [[A]] if is_tried_again else []
    )


def test_attempts_that_bring_new_samples_are_not_limited() -> None:
    *history_, last = (
        replace(a, samples=64 * a.number) for a in lease(*[Outcome.crashed] * 9).attempts
    )
    growing = SegmentEvidence(lease=Lease(attempt=last, history=tuple(history_)))
    assert keys(planned(work(TWO), observed(TWO, evidence={A: growing, B: DONE}))) == [[A]]


def test_a_child_waits_for_its_parent() -> None:
    schedule = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="1 steps")
    chain = expansion_of(run_config(schedule=schedule))
    trunk, cooldown = chain.segments
    assert keys(planned(work(chain), observed(chain))) == [[trunk]]
    assert keys(planned(work(chain), observed(chain, evidence={trunk: DONE}))) == [[cooldown]]


def test_items_of_one_shape_go_out_together_and_arrays_are_split() -> None:
    wide = ResourceConfig(num_ranks=2)
    mixed = expansion_of(
        *(run_config(seed=s, resources=wide if s == 1 else ResourceConfig()) for s in range(6))
    )
    a, b, c, d, e, f = mixed.segments
    assert keys(planned(work(mixed), observed(mixed), max_array_size=2)) == [[a, c], [d, e], [f], [b]]


@pytest.mark.parametrize(
    ("free", "expected"), [(2, [[A], [B]]), (1, [[A]]), (0, [])], ids=["both", "one", "none"]
)
def test_on_one_machine_no_more_starts_than_there_are_cores(
    free: int, expected: list[list[str]]
) -> None:
    world = observed(TWO, free_cores=free, all_cores=2)
    assert keys(planned(work(TWO), world, max_array_size=1)) == expected


def test_an_item_larger_than_the_machine_has_it_to_itself() -> None:
    large = expansion_of(run_config(resources=ResourceConfig(num_ranks=4)))
    assert keys(planned(work(large), observed(large, free_cores=2, all_cores=2))) == [[*large.segments]]
    assert keys(planned(work(large), observed(large, free_cores=1, all_cores=2))) == []


def scored(actions: list[Action]) -> list[list[str]]:
    items = [i for a in actions if isinstance(a, Submit) for i in a.items if isinstance(i, ScoreItem)]
    return [[c.checkpoint for c in item.checkpoints] for item in items]


def test_checkpoints_of_a_finished_segment_are_scored() -> None:
    world = observed(TWO, evidence={A: DONE, B: DONE})
    the_work = work(TWO, asked_of(A, 640))
    assert scored(planned(the_work, world)) == [[f"{A}@640"]]


def test_checkpoints_of_a_running_segment_wait_until_there_are_enough() -> None:
    known = history(submitting("s", A, B), submitted("s"))
    world = observed(TWO, job("s", 0, 1), known=known)
    assert scored(planned(work(TWO, asked_of(A, 64)), world)) == []
    assert scored(planned(work(TWO, asked_of(A, 64, 128, 256)), world)) == [
        [f"{A}@64", f"{A}@128"],
        [f"{A}@256"],
    ]


TRAINED_ALONE = history(submitting("s", A), submitted("s"))
SCORED_AFTER = history(
    submitting("s", A),
    submitted("s"),
    {**submitting("t", "score-x"), "checkpoints": ((f"{A}@640",),), "after": "s"},
    submitted("t", "2"),
)


def scorers(actions: list[Action]) -> list[tuple[str, list[str]]]:
    """Return what is handed over to score after something, and after what."""
    found = [
        (a.after or a.items[0].key, item)
        for a in actions
        if isinstance(a, Submit)
        for item in (a.items if a.after else a.scores)
    ]
    return [(w, [c.checkpoint for c in i.checkpoints]) for w, i in found if isinstance(i, ScoreItem)]


def test_trainings_bring_their_scorers() -> None:
    the_work = work(TWO, has_scorers=True)
    assert scorers(planned(the_work, observed(TWO))) == [(A, [f"{A}@640", f"{B}@640"])]
    assert scorers(planned(work(TWO), observed(TWO))) == []


def test_trainings_whose_launcher_died_get_their_scorers_late() -> None:
    world = observed(TWO, job("s"), evidence={B: DONE}, known=TRAINED_ALONE)
    assert scorers(planned(work(TWO, has_scorers=True), world)) == [("s", [f"{A}@640"])]


@pytest.mark.parametrize("is_running", [True, False])
def test_trainings_get_no_scorers_twice(is_running: bool) -> None:
    jobs = [job("s", is_running=is_running), job("t", is_running=False, job_id="2")]
    world = observed(TWO, *jobs, evidence={B: DONE}, known=SCORED_AFTER)
    assert planned(work(TWO, has_scorers=True), world) == []


@pytest.mark.parametrize(
    ("jobs", "is_scored_now"),
    [
        ([job("s"), job("t", is_running=False, job_id="2")], False),
        ([job("t", is_running=False, job_id="2")], False),
        ([job("t", job_id="2")], False),
        ([], True),
    ],
    ids=["its scorer waits", "its scorer may start", "its scorer runs", "its scorer is over"],
)
def test_a_checkpoint_is_left_to_the_scorer_that_comes_after_it(
    jobs: list[Job], is_scored_now: bool
) -> None:
    world = observed(TWO, *jobs, evidence={A: DONE, B: DONE}, known=SCORED_AFTER)
    found = scored(planned(work(TWO, asked_of(A, 640), has_scorers=True), world))
    assert found == ([[f"{A}@640"]] if is_scored_now else [])


def test_enough_checkpoints_are_scored_before_the_scorer_that_waits_for_the_end() -> None:
    jobs = [job("s"), job("t", is_running=False, job_id="2")]
    world = observed(TWO, *jobs, evidence={B: DONE}, known=SCORED_AFTER)
    the_work = work(TWO, [*asked_of(A, 640), *asked_of(B, 640)], has_scorers=True)
    assert scored(planned(the_work, world)) == [[f"{A}@640", f"{B}@640"]]


def test_what_has_its_rows_is_not_scored_again() -> None:
    pairs = frozenset({(f"{A}@640", eval_id(EVAL.evals[0]))})
    world = observed(TWO, evidence={A: DONE, B: DONE}, scored=pairs)
    assert planned(work(TWO, asked_of(A, 640)), world) == []


def scoring(name: str, *checkpoints: str) -> dict[str, Any]:
    return {**submitting(name, "score-x"), "checkpoints": (checkpoints,)}


def test_what_is_being_scored_is_left_alone() -> None:
    known = history(scoring("s", f"{A}@640"), submitted("s"))
    world = observed(TWO, job("s"), evidence={A: DONE, B: DONE}, known=known)
    assert planned(work(TWO, asked_of(A, 640)), world) == []


def test_scoring_that_keeps_failing_is_given_up() -> None:
    over = {"act": Act.ended}
    lines = [
        line
        for name in "abc"
        for line in (scoring(name, f"{A}@640"), submitted(name), {**over, "submission": name})
    ]
    world = observed(TWO, evidence={A: DONE, B: DONE}, known=history(*lines[:-3]))
    assert scored(planned(work(TWO, asked_of(A, 640)), world)) == [[f"{A}@640"]]
    world = observed(TWO, evidence={A: DONE, B: DONE}, known=history(*lines))
    assert planned(work(TWO, asked_of(A, 640)), world) == []


CLAIM = Claim(
    checkpoint=f"{A}@640", number=3, tries=3, scorer=Scorer(submission="s", index=0, attempt=1)
)


@pytest.mark.parametrize(
    ("claim", "lines", "is_tried_again"),
    [
        (replace(CLAIM, error="torn"), [], False),
        (replace(CLAIM, error="torn", tries=2), [], True),
        (CLAIM, [{"act": Act.ended, "submission": "s"}], False),
        (CLAIM, [{"act": Act.ended, "submission": "s", "outcomes": ("stopped",)}], True),
        (
            replace(CLAIM, error="torn"),
            [{"act": Act.resumed, "items": (A,), "attempts": (1,), "time": 9}],
            True,
        ),
    ],
    ids=["failed", "failed less often", "killed", "stopped", "resumed"],
)
def test_a_checkpoint_is_given_up_after_a_few_tries(
    claim: Claim, lines: list[dict[str, Any]], is_tried_again: bool
) -> None:
    over = {"act": Act.ended, "submission": "s", "outcomes": ("bad_data",)}
    known = history(submitting("s", "score-x"), submitted("s"), *(lines or [over]))
    evidence = {A: DONE, B: DONE}
    world = observed(TWO, evidence=evidence, known=known, claims={claim.checkpoint: claim})
    assert bool(scored(planned(work(TWO, asked_of(A, 640)), world))) == is_tried_again


def test_a_second_plan_right_after_the_first_is_carried_out_is_empty() -> None:
    (action,) = planned(work(TWO), observed(TWO))
    assert isinstance(action, Submit)
    assert all(isinstance(item, TrainItem) for item in action.items)
    known = history(submitting("s", *(item.key for item in action.items)), submitted("s"))
    pending = job("s", 0, 1, is_running=False)
    assert planned(work(TWO), observed(TWO, pending, known=known)) == []
    assert known.submissions["s"].where == HERE
