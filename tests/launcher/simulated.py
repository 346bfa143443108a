"""A played scheduler: jobs, what it remembers of those that ended, and how many a user may have."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from launcher.machines.queue import Ended, Job
from sweeps.work.items import WorkItem
from sweeps.work.lease import Holder
from sweeps.work.outcome import Outcome

MIN_JOB_AGE_S = 80.0
"""So long the controller remembers a job that has ended."""


@dataclass(eq=False, kw_only=True)
class Process:
    """A supervisor: one item of a submission, started for the `restart`-th time."""

    holder: Holder
    item: WorkItem
    waits_since: float | None = None
    trains: bool = False
    attempt: int = 0


@dataclass(eq=False, kw_only=True)
class SimJob:
    """A job or array as the controller keeps it.

    `filed_at`: when squeue begins to list it. `after`: the job whose end it waits for.
    """

    name: str
    job_id: int
    cluster: str
    items: tuple[WorkItem, ...]
    filed_at: float
    after: str
    restarts: dict[int, int] = field(default_factory=dict)
    running: dict[int, Process] = field(default_factory=dict)
    pending: set[int] = field(default_factory=set)

    def alive(self) -> list[WorkItem]:
        """Return the items that wait or run."""
        return [self.items[index] for index in (*self.pending, *self.running)]

    def lines(self) -> Iterator[Job]:
        """Yield what squeue shows of it."""
        if self.pending:
            yield Job(
                job_id=str(self.job_id),
                name=self.name,
                indices=self._array(self.pending),
                is_running=False,
            )
        for index in self.running:
            own = self._array([index])
            yield Job(job_id=f"{self.job_id}_{index}", name=self.name, indices=own, is_running=True)

    def ended(self, indices: Iterable[int], outcome: Outcome | None, at: float) -> Ended:
        """Return what squeue and sacct show of tasks that have ended."""
        array = self._array(indices)
        return Ended(job_id=str(self.job_id), name=self.name, indices=array, outcome=outcome, at=at)

    def _array(self, indices: Iterable[int]) -> frozenset[int] | None:
        return frozenset(indices) if len(self.items) > 1 else None


class Memory:
    """What is known of tasks that have ended: by the controller for a while, by accounting for good."""

    def __init__(self) -> None:
        self._past: list[tuple[str, Ended]] = []
        self._started: set[tuple[str, int]] = set()

    def start(self, job: SimJob, index: int) -> None:
        """Take note of a task's output."""
        self._started.add((job.name, index))

    def has_output(self, name: str, index: int) -> bool:
        """Return whether a task has ever started."""
        return (name, index) in self._started

    def end(self, job: SimJob, indices: Iterable[int], outcome: Outcome | None, now: float) -> None:
        """Take note that tasks have ended."""
        if chosen := tuple(indices):
            self._past.append((job.cluster, job.ended(chosen, outcome, now)))

    def shown(self, cluster: str, now: float) -> tuple[Ended, ...]:
        """Return what the controller of a cluster still tells."""
        past = (line for where, line in self._past if where == cluster)
        return tuple(line for line in past if now - line.at < MIN_JOB_AGE_S)

    def accounting(self, job_ids: Iterable[str]) -> list[Ended]:
        """Return what accounting tells of jobs."""
        asked = set(job_ids)
        return [line for _, line in self._past if line.job_id in asked]
