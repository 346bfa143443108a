"""What is noted of submissions, and when one is given up: the rows of the table in `settle`."""

import pytest

from launcher.reconcile.actions import (
    Action,
    Adopt,
    GiveUp,
    NoteEnded,
    NoteLeft,
    NoteUnlisted,
    Submit,
)
from launcher.records.ledger import Act
from sweeps.costs.cost import Hours
from tests.launcher.worlds import (
    DONE,
    POLICY,
    TWO,
    A,
    B,
    history,
    job,
    keys_of,
    observed,
    planned,
    submitted,
    submitting,
    work,
)


def test_a_job_of_that_id_but_another_name_proves_nothing() -> None:
    known = history(submitting("s", A, B), submitted("s", "1"))
    actions = planned(work(TWO), observed(TWO, job("somebody else's", job_id="1"), known=known))
    assert actions[0] == NoteEnded(submission="s")
    assert keys_of(actions) == [[A, B]]


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
    assert keys_of(actions) == ([[A, B]] if is_given_up else [])


@pytest.mark.parametrize("act", [Act.lost, Act.refused, Act.ended])
def test_what_a_submission_that_is_over_had_is_submitted_again(act: Act) -> None:
    known = history(submitting("s", A, B), {"act": act, "submission": "s"})
    assert keys_of(planned(work(TWO), observed(TWO, known=known))) == [[A, B]]


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
