"""What a scheduler says about the user's jobs, reduced to what reconciling needs."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One line of the queue. `indices` are array indices; None = a job that is no array."""

    job_id: str
    name: str
    indices: frozenset[int] | None
    is_running: bool

    def lists(self, index: int) -> bool:
        """Return whether item `index` of the submission is alive in this line."""
        return index == 0 if self.indices is None else index in self.indices


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """A good answer: every job of the user that the scheduler knows. `asked_at`: when it was asked."""

    asked_at: float
    jobs: tuple[Job, ...]

    def job_of(self, submission: str, index: int) -> Job | None:
        """Return the line in which an item is alive; a running one before a pending one."""
        found = [job for job in self.jobs if job.name == submission and job.lists(index)]
        return max(found, key=lambda job: job.is_running, default=None)
