"""Why jobs of a sweep wait in the queue, as the scheduler says. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from launcher.machines.queue import Job
from launcher.machines.reasons import advice
from launcher.reconcile.observe import Observed
from launcher.records.ledger import SubmissionRecord, segment_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Jobs that wait for the same reason, in the scheduler's word; empty: it has given none yet.

    `num_jobs`: each task of an array is one. `job_ids`: an array that waits as a whole has one.
    """

    reason: str
    num_jobs: int
    job_ids: tuple[str, ...]

    @property
    def advice(self) -> str:
        """What the user has to do, or nothing where time alone helps."""
        return advice(self.reason, ",".join(self.job_ids))

    def __str__(self) -> str:
        """Return it as a line."""
        needs = f", needs you: {self.advice}" if self.advice else ""
        return f"queued: {self.num_jobs:,} {self.reason}{needs}"


def waits_of(observed: Observed) -> list[Wait]:
    """Return why the jobs wait that train or score the observed segments, the most frequent first."""
    found: dict[str, list[tuple[str, int]]] = {}
    for job, num_tasks in _waiting(observed):
        found.setdefault(job.reason, []).append((job.job_id, num_tasks))
    waits = (
        Wait(reason=reason, num_jobs=sum(n for _, n in jobs), job_ids=tuple(job for job, _ in jobs))
        for reason, jobs in found.items()
    )
    return sorted(waits, key=lambda wait: (-wait.num_jobs, wait.reason))


def _waiting(observed: Observed) -> Iterator[tuple[Job, int]]:
    """Yield each line of the queue that waits, and how many of its jobs concern these segments."""
    for job in observed.queue.jobs if observed.queue else ():
        record = observed.history.submissions.get(job.name)
        if record is None or job.is_running:
            continue
        tasks = {record.task_of(i) for i in range(len(record.items)) if _concerns(record, i, observed)}
        if num_tasks := sum(job.lists(task) for task in tasks):
            yield job, num_tasks


def _concerns(record: SubmissionRecord, index: int, observed: Observed) -> bool:
    return any(segment_of(key) in observed.segments for key in record.covers(index))
