"""States of runs, from evidence."""

from dataclasses import replace
from typing import Any

import pytest

from conf.schema import ScheduleConfig, ScheduleName
from evaluation.claims import Claim, Scorer
from launcher.reconcile.observe import Observed, SegmentEvidence
from launcher.reconcile.state import RunStatus, State, run_statuses
from launcher.records.ledger import Act
from sweeps.costs.cost import NO_HOURS
from sweeps.runs.expansion import Expansion
from sweeps.work.items import CheckpointEvals, eval_id
from sweeps.work.lease import Lease
from sweeps.work.outcome import Outcome
from tests.configs import EVAL, expansion_of, run_config
from tests.launcher.worlds import (
    DONE,
    POLICY,
    asked_of,
    ended,
    history,
    job,
    lease,
    observed,
    runs,
    submitted,
    submitting,
)

ONE = runs(1)
(A,) = ONE.segments
HANDED_OVER = history(submitting("s", A), submitted("s"))


def resumed(at: float) -> dict[str, Any]:
    return {"act": Act.resumed, "items": (A,), "attempts": (0,), "time": at}


def lease_in(submission: str) -> Lease:
    """Return a lease whose only attempt was made in a submission."""
    held = lease(Outcome.crashed)
    holder = replace(held.attempt.holder, submission=submission)
    return replace(held, attempt=replace(held.attempt, holder=holder))


def status(world: Observed, *scores: CheckpointEvals, expansion: Expansion = ONE) -> RunStatus:
    found = run_statuses(expansion.runs, expansion.segments, world, scores, POLICY.fruitless_attempts)
    return found[-1]


@pytest.mark.parametrize(
    ("world", "state"),
    [
        (observed(ONE), State.waiting),
        (observed(ONE, job("s", is_running=False), known=HANDED_OVER), State.queued),
        (observed(ONE, job("s"), known=HANDED_OVER), State.running),
        (observed(ONE, known=history(submitting("s", A))), State.queued),
        (observed(ONE, asked_at=None, known=HANDED_OVER), State.queued),
        (observed(ONE, evidence={A: SegmentEvidence(lease=lease(Outcome.not_finite))}), State.held),
        (observed(ONE, evidence={A: SegmentEvidence(lease=lease(Outcome.crashed))}), State.waiting),
        (observed(ONE, evidence={A: DONE}), State.done),
    ],
)
def test_the_state_of_a_run_that_asks_for_no_scores(world: Observed, state: State) -> None:
    assert status(world).state is state


def test_a_run_is_trained_until_it_has_all_its_scores() -> None:
    scores = asked_of(A, 320, 640)
    assert status(observed(ONE, evidence={A: DONE}), *scores).state is State.trained
    name = eval_id(EVAL.evals[0])
    some, every = ({(f"{A}@{n}", name) for n in which} for which in ((320,), (320, 640)))
    assert (
        status(observed(ONE, evidence={A: DONE}, scored=frozenset(some)), *scores).state
        is State.trained
    )
    assert (
        status(observed(ONE, evidence={A: DONE}, scored=frozenset(every)), *scores).state is State.done
    )


def test_a_hold_says_why() -> None:
    evidence = SegmentEvidence(lease=lease(*[Outcome.crashed] * 4))
    reason = status(observed(ONE, evidence={A: evidence})).reason
    assert reason == "3 attempts without new samples; the last: said crashed"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (None, State.running),
        (Outcome.crashed, State.running),
        (Outcome.bad_data, State.held),
        (Outcome.cancelled, State.cancelled),
    ],
)
def test_an_item_that_is_through_is_not_shown_as_running_though_its_shared_job_goes_on(
    outcome: Outcome | None, state: State
) -> None:
    held = lease(outcome)
    attempt = replace(held.attempt, is_cancelled=outcome is Outcome.cancelled)
    evidence = {A: SegmentEvidence(lease=replace(held, attempt=attempt))}
    assert status(observed(ONE, job("s"), evidence=evidence, known=HANDED_OVER)).state is state


def gone(name: str, outcome: str = "crashed", at: float = 0.0) -> list[dict[str, Any]]:
    """Return the lines of a submission whose job has ended."""
    end = {"act": Act.ended, "submission": name, "outcomes": (outcome,), "reasons": ("FAILED",)}
    return [submitting(name, A, at=at), submitted(name), {**end, "hours": (NO_HOURS,)}]


@pytest.mark.parametrize(
    ("lines", "attempt_of", "state"),
    [
        ([*gone("s"), *gone("t")], None, State.waiting),
        ([*gone("s"), *gone("t"), *gone("u")], None, State.held),
        ([*gone("s"), *gone("t"), *gone("u", outcome="")], None, State.held),
        ([*gone("s"), *gone("t"), *gone("u", outcome="preempted")], None, State.waiting),
        ([*gone("s"), *gone("t"), *gone("u")], "t", State.waiting),
        ([*gone("r"), *gone("s"), *gone("t"), *gone("u")], "r", State.held),
        (
            [*gone("s"), *gone("t", at=5.0), *gone("u", at=5.0), resumed(at=1.0)],
            None,
            State.waiting,
        ),
    ],
    ids=["two", "three", "unexplained", "preempted", "one began", "none began since", "resumed"],
)
def test_jobs_that_end_before_an_attempt_begins_are_capped(
    lines: list[dict[str, Any]], attempt_of: str | None, state: State
) -> None:
    evidence = {A: SegmentEvidence(lease=lease_in(attempt_of))} if attempt_of else {}
    assert status(observed(ONE, evidence=evidence, known=history(*lines))).state is state


def test_who_never_begins_is_held_with_the_schedulers_words_and_the_log_of_its_job() -> None:
    world = observed(
        ONE,
        known=history(*gone("s"), *gone("t"), submitting("u", A), submitted("u")),
        ended=(ended("u", outcome=Outcome.crashed),),
    )
    assert status(world).reason == (
        "3 jobs in a row ended before training began: SAID; what the last one printed: "
        "submissions/u/0.log"
    )


def test_a_hold_tells_what_the_scheduler_said_of_an_attempt_that_could_say_nothing() -> None:
    evidence = {A: SegmentEvidence(lease=lease(*[Outcome.vanished] * 4))}
    world = observed(ONE, evidence=evidence, known=history(*gone("s", "out_of_memory")))
    assert status(world).reason.endswith("\nthe scheduler says of the last job: FAILED")


@pytest.mark.parametrize(
    ("before", "told", "reason"),
    [
        (Outcome.out_of_memory, "out_of_memory", "out_of_memory, 2 times: "),
        (Outcome.out_of_memory, "", ""),
        (Outcome.crashed, "out_of_memory", ""),
    ],
)
def test_an_attempt_that_could_say_nothing_ended_as_the_scheduler_tells(
    before: Outcome, told: str, reason: str
) -> None:
    evidence = {A: SegmentEvidence(lease=lease(before, None))}
    found = status(observed(ONE, evidence=evidence, known=history(*gone("s", told))))
    assert found.state is (State.held if reason else State.waiting)
    assert found.reason.startswith(reason)
    assert found.reason.endswith("\nFAILED" if reason else "")


def test_what_is_resumed_is_no_longer_held() -> None:
    evidence = {A: SegmentEvidence(lease=lease(*[Outcome.crashed] * 4))}
    resumed = history({"act": Act.resumed, "items": (A,), "attempts": (4,)})
    assert status(observed(ONE, evidence=evidence)).state is State.held
    assert status(observed(ONE, evidence=evidence, known=resumed)).state is State.waiting


def test_attempts_after_a_resume_count_anew() -> None:
    evidence = {A: SegmentEvidence(lease=lease(*[Outcome.crashed] * 6))}
    resumed = history({"act": Act.resumed, "items": (A,), "attempts": (3,)})
    reason = status(observed(ONE, evidence=evidence, known=resumed)).reason
    assert reason == "3 attempts without new samples; the last: said crashed"


def test_progress_is_by_samples_over_all_segments() -> None:
    schedule = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="1 steps")
    chain = expansion_of(run_config(schedule=schedule))
    trunk, cooldown = chain.segments
    assert status(observed(chain), expansion=chain).progress == 0
    half = {trunk: SegmentEvidence(lease=lease(None, samples=320))}
    assert status(observed(chain, evidence=half), expansion=chain).progress == 0.5
    assert status(observed(chain, evidence={trunk: DONE}), expansion=chain).progress == 0.8
    both = {trunk: DONE, cooldown: DONE}
    assert status(observed(chain, evidence=both), expansion=chain).progress == 1


@pytest.mark.parametrize(
    ("error", "shown"), [("no .txt in it", "no .txt in it"), ("", "out_of_memory: killed")]
)
def test_why_scoring_failed_is_said_and_where_its_log_lies(error: str, shown: str) -> None:
    scorer = Scorer(submission="t", index=1, attempt=2)
    claim = Claim(checkpoint=f"{A}@640", number=3, tries=3, scorer=scorer, error=error)
    handed = {**submitting("t", "score-x", "score-y"), "checkpoints": ((), (claim.checkpoint,))}
    told = {"outcomes": ("done", "crashed"), "reasons": ("", "out_of_memory: killed")}
    known = history(handed, submitted("t"), {"act": Act.ended, "submission": "t", **told})
    world = observed(ONE, evidence={A: DONE}, known=known, claims={claim.name: claim})
    found = status(world, *asked_of(A, 640))
    log = "what it printed: submissions/t/1/log-2.txt"
    assert found.state is State.held
    assert found.reason.splitlines()[1:] == [shown, log]
