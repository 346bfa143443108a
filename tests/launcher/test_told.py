"""What the scheduler tells of jobs that ended, and that what the user cancels there stays cancelled."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.machines.queue import Ended
from launcher.reconcile.actions import Adopt, NoteCancelled, NoteEnded, NoteLeft
from launcher.reconcile.ends import end_of
from launcher.reconcile.explain import NEVER_STARTED, explained
from launcher.reconcile.observe import Observed, SegmentEvidence
from launcher.reconcile.state import State, segment_states
from launcher.reconcile.told import Told
from launcher.records.ledger import Act, History
from sweeps.work.outcome import Outcome
from tests.launcher.worlds import (
    DONE,
    POLICY,
    TWO,
    A,
    B,
    asked_of,
    ended,
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

SUBMITTED = (submitting("s", A, B), submitted("s"))


def states(known: History, *told: Ended) -> list[State]:
    world = observed(TWO, known=known, ended=told)
    return [state for state, _ in states_in(world).values()]


def states_in(world: Observed) -> dict[str, tuple[State, str]]:
    return segment_states(TWO.segments, world, POLICY.fruitless_attempts, Told(world))


def cancelled_keys(world: Observed) -> set[str]:
    return world.history.cancelled | Told(world).cancelled


def over(name: str) -> dict[str, Any]:
    return {"act": Act.ended, "submission": name}


def cancelled(*keys: str) -> dict[str, Any]:
    return {"act": Act.cancelled, "items": keys}


def resumed(*items: str, at: float) -> dict[str, Any]:
    return {"act": Act.resumed, "items": items, "attempts": (0,) * len(items), "time": at}


def test_a_pending_array_that_the_user_cancels_is_not_submitted_again() -> None:
    line = ended("s", 0, 1)
    world = observed(TWO, known=history(*SUBMITTED), ended=(line,))
    assert planned(work(TWO), world) == [
        NoteCancelled(keys=(B, A) if B < A else (A, B), asked_at=1000.0),
        NoteEnded(submission="s", told=(line, line)),
    ]
    assert states(history(*SUBMITTED), line) == [State.cancelled, State.cancelled]


def test_a_task_that_the_user_cancels_is_not_submitted_again_while_others_live() -> None:
    line = ended("s", 0)
    world = observed(TWO, job("s", 1), known=history(*SUBMITTED), ended=(line,))
    assert planned(work(TWO), world) == [
        NoteCancelled(keys=(A,), asked_at=1000.0),
        NoteLeft(submission="s", indices=(0,), told=(line,)),
    ]


def test_it_stays_cancelled_when_the_queue_has_forgotten_and_until_it_is_resumed() -> None:
    lines = (*SUBMITTED, cancelled(A), over("s"))
    assert states(history(*lines)) == [State.cancelled, State.waiting]
    assert keys_of(planned(work(TWO), observed(TWO, known=history(*lines)))) == [[B]]
    assert states(history(*lines, resumed(A, at=9.0))) == [State.waiting, State.waiting]


@pytest.mark.parametrize(("at", "state"), [(6.0, State.waiting), (4.0, State.cancelled)])
def test_what_was_resumed_after_its_end_is_submitted_again(at: float, state: State) -> None:
    known = history(*SUBMITTED, resumed(A, B, at=at))
    assert states(known, ended("s", 0, 1)) == [state, state]


@pytest.mark.parametrize("outcome", [Outcome.crashed, Outcome.node_failure, Outcome.preempted, None])
def test_what_ended_otherwise_is_submitted_again(outcome: Outcome | None) -> None:
    world = observed(TWO, known=history(*SUBMITTED), ended=(ended("s", 0, 1, outcome=outcome),))
    assert keys_of(planned(work(TWO), world)) == [[A, B]]


def test_what_is_done_is_not_cancelled() -> None:
    world = observed(TWO, evidence={A: DONE}, known=history(*SUBMITTED), ended=(ended("s", 0, 1),))
    assert states_in(world)[A][0] is State.done


def test_to_cancel_a_copy_of_what_is_alive_elsewhere_cancels_nothing() -> None:
    known = history(*SUBMITTED, submitting("t", A, at=5.0), submitted("t", "2"))
    world = observed(TWO, job("t", job_id="2"), known=known, ended=(ended("s", 0),))
    actions = planned(work(TWO), world)
    assert actions[0] == NoteEnded(submission="s", told=(ended("s", 0), None))
    assert keys_of(actions) == [[B]]


def test_a_submission_without_an_answer_that_has_ended_was_a_job() -> None:
    line = ended("s", 0, 1, outcome=Outcome.crashed)
    world = observed(TWO, known=history(submitting("s", A, B)), ended=(line,))
    adopted, noted, submit = planned(work(TWO), world)
    assert (adopted, noted) == (
        Adopt(submission="s", job_id="1"),
        NoteEnded(submission="s", told=(line, line)),
    )
    assert keys_of([submit]) == [[A, B]]


def test_checkpoints_whose_scorer_the_user_cancels_stay_unscored_until_resumed() -> None:
    scorer = {**submitting("t", "score-x"), "checkpoints": ((f"{A}@640",),)}
    lines = (scorer, submitted("t", "2"), cancelled(f"{A}@640"), over("t"))
    the_work, evidence = work(TWO, asked_of(A, 640)), {A: DONE, B: DONE}
    world = observed(TWO, evidence=evidence, known=history(*lines))
    assert cancelled_keys(world) == {f"{A}@640"}
    assert planned(the_work, world) == []
    again = observed(TWO, evidence=evidence, known=history(*lines, resumed(A, at=9.0)))
    assert len(planned(the_work, again)) == 1


def test_accounting_is_asked_once_and_only_for_what_left_without_a_word() -> None:
    known = history(*SUBMITTED, submitting("t", B), submitted("t", "2"), submitting("u", A))
    asked: list[list[str]] = []

    def ends(job_ids: list[str]) -> list[Ended]:
        asked.append(job_ids)
        return [ended("s", 0, 1)]

    said = SegmentEvidence(lease=lease(Outcome.crashed))
    world = observed(TWO, job("t"), evidence={B: said}, known=known)
    told = explained(world, ends, lambda *_: True)
    assert asked == [["1"]]
    assert cancelled_keys(told) == {A}
    explained(
        observed(TWO, evidence={A: said, B: said}, known=history(*SUBMITTED)), ends, lambda *_: True
    )
    assert len(asked) == 1


@pytest.mark.parametrize(("has_output", "cancelled"), [(False, {A}), (True, set())])
def test_a_task_that_is_missing_in_a_listed_array_and_wrote_nothing_was_cancelled(
    has_output: bool, cancelled: set[str]
) -> None:
    world = observed(TWO, job("s", 1), known=history(*SUBMITTED))
    told = explained(world, lambda _: None, lambda *_: has_output)
    assert cancelled_keys(told) == cancelled
    assert told.queue is not None
    assert [line.reason for line in told.queue.ended] == [NEVER_STARTED] * len(cancelled)


def test_an_array_that_nobody_lists_tells_nothing() -> None:
    world = observed(TWO, known=history(*SUBMITTED))
    assert cancelled_keys(explained(world, lambda _: None, lambda *_: False)) == set()


TOLD = ended("s", outcome=Outcome.out_of_memory)


@pytest.mark.parametrize(
    ("own", "told", "outcome"),
    [
        (Outcome.crashed, None, Outcome.crashed),
        (Outcome.crashed, TOLD, Outcome.crashed),
        (None, TOLD, Outcome.out_of_memory),
        (Outcome.stopped, ended("s"), Outcome.cancelled),
        (Outcome.done, ended("s"), Outcome.done),
        (None, None, None),
    ],
)
def test_an_attempt_knows_best_how_it_ended_but_for_who_cancelled_it(
    own: Outcome | None, told: Ended | None, outcome: Outcome | None
) -> None:
    assert end_of("s", lease(own), told)[0] is outcome


def test_an_attempt_of_another_submission_tells_nothing() -> None:
    assert end_of("t", lease(Outcome.crashed), None) == (None, "")
    assert end_of("t", None, replace(TOLD, reason="OOM")) == (Outcome.out_of_memory, "OOM")
