"""Why jobs of a sweep wait in the queue, as the scheduler says. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from launcher.machines.queue import Job
from launcher.machines.reasons import advice
from launcher.reconcile.observe import Observed
from launcher.records.ledger import SubmissionRecord, segment_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Jobs that wait for the same reason, in the scheduler's word; empty: it has given none yet.

    `num_jobs`: each task of an array is one. `job_ids`: of whole arrays as one, such as `8_[0-2,5]`.
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
    found: dict[str, dict[str, set[int]]] = {}
    for job, tasks in _waiting(observed):
        job_id = job.job_id if job.indices is None else f"{job.job_id.partition('_')[0]}_"
        found.setdefault(job.reason, {}).setdefault(job_id, set()).update(tasks)
    waits = (
        Wait(
            reason=reason,
            num_jobs=sum(map(len, jobs.values())),
            job_ids=tuple(_named(job_id, tasks) for job_id, tasks in jobs.items()),
        )
        for reason, jobs in found.items()
    )
    return sorted(waits, key=lambda wait: (-wait.num_jobs, wait.reason))


def _waiting(observed: Observed) -> Iterator[tuple[Job, set[int]]]:
    """Yield each line of the queue that waits, and those of its tasks that concern these segments."""
    concerned: dict[str, set[int]] = {}
    for job in observed.queue.jobs if observed.queue else ():
        record = observed.history.submissions.get(job.name)
        if record is None or job.is_running:
            continue
        if record.id not in concerned:
            concerned[record.id] = set(_tasks(record, observed))
        if listed := concerned[record.id] & ({0} if job.indices is None else job.indices):
            yield job, listed


def _tasks(record: SubmissionRecord, observed: Observed) -> Iterator[int]:
    """Yield the array indices of jobs that train or score any of the observed segments."""
    for index in range(len(record.items)):
        if any(segment_of(key) in observed.segments for key in record.covers(index)):
            yield record.task_of(index)


def _named(job_id: str, tasks: Iterable[int]) -> str:
    """Return a job's id, or tasks of an array, as scontrol takes them: `7`, `8_0`, `8_[0-2,5]`."""
    if not job_id.endswith("_"):
        return job_id
    spans: list[tuple[int, int]] = []
    for task in sorted(tasks):
        follows = bool(spans) and spans[-1][1] == task - 1
        spans.append((spans.pop()[0] if follows else task, task))
    text = ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in spans)
    return f"{job_id}{text}" if text.isdigit() else f"{job_id}[{text}]"
