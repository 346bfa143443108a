"""Why jobs wait in the queue, and which of them wait for the user."""

from dataclasses import replace

import pytest

from launcher.machines.queue import Job
from launcher.machines.reasons import advice
from launcher.reconcile.waits import Wait, waits_of
from tests.launcher.worlds import TWO, A, B, history, job, observed, submitted, submitting

KNOWN = history(
    submitting("both", A, B),
    submitted("both"),
    submitting("one", A),
    submitted("one"),
    submitting("others", "another-segment"),
    submitted("others"),
)


def waiting(name: str, *indices: int, reason: str, job_id: str = "1") -> Job:
    return replace(job(name, *indices, is_running=False, job_id=job_id), reason=reason)


def waits(*jobs: Job) -> list[Wait]:
    return waits_of(observed(TWO, *jobs, known=KNOWN))


def test_jobs_are_counted_by_their_reason() -> None:
    assert waits(
        waiting("one", reason="Priority", job_id="7"),
        waiting("both", 0, reason="Resources", job_id="8_0"),
        waiting("both", 1, reason="Priority", job_id="8_1"),
    ) == [
        Wait(reason="Priority", num_jobs=2, job_ids=("7", "8_1")),
        Wait(reason="Resources", num_jobs=1, job_ids=("8_0",)),
    ]


def test_each_task_of_an_array_is_a_job_and_only_those_count_that_concern_the_sweep() -> None:
    many = history(submitting("many", *[A] * 3, B, *[A] * 2), submitted("many"))
    array = (
        waiting("many", 0, 1, 3, 4, reason="JobArrayTaskLimit", job_id="8"),
        waiting("many", 2, reason="JobArrayTaskLimit", job_id="8_2"),
    )
    only_a = replace(TWO, segments={A: TWO.segments[A]})
    (whole,) = waits_of(observed(TWO, *array, known=many))
    (part,) = waits_of(observed(only_a, *array, known=many))
    assert (whole.num_jobs, whole.job_ids) == (5, ("8_[0-4]",))
    assert (part.num_jobs, part.job_ids) == (4, ("8_[0-2,4]",))


def test_what_runs_or_belongs_to_others_does_not_wait_here() -> None:
    strangers = waiting("strange", reason="Priority"), waiting("others", reason="Priority")
    assert waits(job("one"), *strangers) == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("launch failed requeued held", "`scontrol release 7,8_1`"),
        ("launch_failed_requeued_held", "`scontrol release 7,8_1`"),
        ("JobHoldMaxRequeue", "`scontrol release 7,8_1`"),
        ("PartitionTimeLimit", "`scontrol update jobid=7,8_1 timelimit=…`"),
        ("AssocMaxNodePerJobLimit", "mend the preset"),
        ("AssocMaxGRESPerJob", "mend the preset"),
        ("QOSMaxWallDurationPerJobLimit", "mend the preset"),
        ("QOSMinGRES", "mend the preset"),
        ("BadConstraints", "mend the preset"),
    ],
)
def test_what_time_does_not_help_says_what_to_do(reason: str, words: str) -> None:
    wait = Wait(reason=reason, num_jobs=2, job_ids=("7", "8_1"))
    assert words in wait.advice
    assert str(wait) == f"queued: 2 {reason}, needs you: {wait.advice}"


@pytest.mark.parametrize(
    "reason",
    [
        "", "Priority", "Resources", "Dependency", "JobArrayTaskLimit", "AssocGrpCpuLimit",
        "AssocMaxJobsLimit", "QOSMaxJobsPerUserLimit", "QOSMaxGRESPerUser", "QOSGrpGRESMinutes",
        "ReqNodeNotAvail, Reserved for maintenance", "BeginTime", "PartitionDown",
    ],
)  # fmt: skip
def test_what_passes_asks_nothing_of_anybody(reason: str) -> None:
    assert advice(reason, "7") == ""
