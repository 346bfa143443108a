"""What follows an attempt, row by row, and when a work item is held."""

from dataclasses import replace

import pytest

from launcher.records.budget import fruitless_attempts, why_held
from sweeps.work.lease import Lease
from sweeps.work.outcome import TREATMENTS, Outcome, Remedy
from tests.launcher.worlds import lease

MOST = 3


def progressing(*outcomes: Outcome) -> Lease:
    """Return a lease each of whose attempts came further than the one before."""
    known = [replace(a, samples=64 * a.number) for a in lease(*outcomes).attempts]
    return Lease(attempt=known[-1], history=tuple(known[:-1]))


@pytest.mark.parametrize(
    ("outcome", "remedy", "borne"),
    [
        (Outcome.done, Remedy.nothing, None),
        (Outcome.stopped, Remedy.nothing, None),
        (Outcome.cancelled, Remedy.nothing, None),
        (Outcome.time_limit, Remedy.nothing, 3),
        (Outcome.preempted, Remedy.nothing, None),
        (Outcome.node_failure, Remedy.elsewhere, 9),
        (Outcome.out_of_memory, Remedy.here, 1),
        (Outcome.communication, Remedy.here, 3),
        (Outcome.crashed, Remedy.here, 3),
        (Outcome.stalled, Remedy.here, 3),
        (Outcome.bad_data, Remedy.hold, 0),
        (Outcome.not_finite, Remedy.hold, 0),
        (Outcome.user_error, Remedy.hold, 0),
        (Outcome.lost_state, Remedy.hold, 0),
        (Outcome.no_room, Remedy.hold, 0),
        (Outcome.vanished, Remedy.here, 3),
    ],
)
def test_each_outcome_has_its_remedy_and_is_borne_so_often(
    outcome: Outcome, remedy: Remedy, borne: int | None
) -> None:
    assert outcome.treatment.remedy is remedy
    bearable = 99 if borne is None else borne
    assert bearable == 0 or why_held(lease(*[outcome] * bearable), MOST) is None
    assert (why_held(lease(*[outcome] * (bearable + 1)), MOST) is None) == (borne is None)


@pytest.mark.parametrize("outcome", [o for o in Outcome if not o.is_final])
def test_what_brings_new_samples_is_borne_for_ever(outcome: Outcome) -> None:
    assert why_held(progressing(*[outcome] * 99), MOST) is None


def test_every_outcome_has_a_treatment() -> None:
    assert set(TREATMENTS) == set(Outcome)


def test_what_is_no_fault_neither_counts_nor_forgives() -> None:
    known = lease(*[Outcome.crashed] * 3, Outcome.preempted, Outcome.node_failure, Outcome.time_limit)
    assert fruitless_attempts(known) == 2


def test_asking_again_forgives_what_was_before() -> None:
    known = lease(*[Outcome.crashed] * 4)
    assert fruitless_attempts(known) == 3
    assert fruitless_attempts(known, since=3) == 1


def test_a_cap_counts_again_after_resume() -> None:
    known = lease(*[Outcome.out_of_memory] * 2)
    assert why_held(known, MOST) is not None
    assert why_held(known, MOST, since=1) is None


def test_who_runs_out_of_memory_is_told_what_to_change() -> None:
    reason = why_held(lease(*[Outcome.out_of_memory] * 2), MOST)
    assert reason is not None
    assert reason.startswith("out_of_memory, 2 times: ")
    assert "raise resources.num_ranks" in reason
    assert reason.endswith("said out_of_memory")
