"""What a scheduler says about the user's jobs, reduced to what reconciling needs."""

import math
from dataclasses import dataclass, replace

from sweeps.work.outcome import Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One line of the queue. `indices` are array indices; None = a job that is no array.

    `account`, `qos`, `partition`: what limits count it against, empty where the scheduler keeps none.
    `reason`: why it waits, in the scheduler's word; empty where it gives none, or the job runs.
    """

    job_id: str
    name: str
    indices: frozenset[int] | None
    is_running: bool
    account: str = ""
    qos: str = ""
    partition: str = ""
    reason: str = ""

    @property
    def num_tasks(self) -> int:
        """How many jobs a limit takes it for: each array task is one."""
        return 1 if self.indices is None else len(self.indices)

    def lists(self, task: int) -> bool:
        """Return whether the job with array index `task` is alive in this line."""
        return _lists(self.indices, task)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A job, or tasks of an array, of which the scheduler still knows how they ended.

    `job_id`: of the whole array. `at`: when it ended, in seconds since 1970; infinite if unknown.
    `outcome` None: nothing is said of the work (an exit status of 0 proves nothing). `reason`: in the
    scheduler's words.
    """

    job_id: str
    name: str
    indices: frozenset[int] | None
    outcome: Outcome | None
    at: float = math.inf
    reason: str = ""

    def lists(self, task: int) -> bool:
        """Return whether the job with array index `task` ended in this line."""
        return _lists(self.indices, task)


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """A good answer: every job of the user that the scheduler knows. `asked_at`: when it was asked.

    `jobs` are alive; `ended` are those of which it still tells the end.
    """

    asked_at: float
    jobs: tuple[Job, ...]
    ended: tuple[Ended, ...] = ()

    def without(self, job_id: str | None) -> "Queue":
        """Return it as if a job had ended of which nothing is told."""
        return replace(self, jobs=tuple(job for job in self.jobs if job.job_id != job_id))

    def job_of(self, submission: str, task: int) -> Job | None:
        """Return the line in which a job is alive; a running one before a pending one."""
        found = [job for job in self.jobs if job.name == submission and job.lists(task)]
        return max(found, key=lambda job: job.is_running, default=None)


def _lists(indices: frozenset[int] | None, task: int) -> bool:
    return task == 0 if indices is None else task in indices
