"""States of runs, from evidence."""

import pytest

from conf.schema import ScheduleConfig, ScheduleName
from launcher.reconcile.observe import Observed, SegmentEvidence
from launcher.reconcile.state import RunStatus, State, run_statuses
from launcher.records.ledger import Act
from launcher.records.outcome import Outcome
from sweeps.expansion import Expansion
from sweeps.items import CheckpointEvals, eval_id
from tests.configs import EVAL, expansion_of, run_config
from tests.launcher.worlds import (
    DONE,
    POLICY,
    asked_of,
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
