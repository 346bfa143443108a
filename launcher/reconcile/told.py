"""What the scheduler tells of items that have left its queue. Pure; it explains, no more.

A job is cancelled by the user's own hand (the launcher does it at their word only), so its items stay
cancelled until `resume`. A task of an array that is cancelled while it waits leaves no line at all: it
is known by what it lacks, being in no line of an array that the scheduler still lists, and never having
opened its output.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

from launcher.machines.queue import Ended, Job
from launcher.reconcile.liveness import needs_another_job
from launcher.reconcile.observe import Observed
from launcher.records.ledger import SubmissionRecord, SubmissionState
from sweeps.work.outcome import Outcome


class Told:
    """What the queue, and accounting, tell of items of this machine's submissions that have ended."""

    def __init__(self, observed: Observed) -> None:
        queue = observed.queue
        self._observed = observed
        self._ended: dict[str, list[Ended]] = {}
        self._alive: dict[str, list[Job]] = {}
        for line in queue.ended if queue else ():
            self._ended.setdefault(line.name, []).append(line)
        for job in queue.jobs if queue else ():
            self._alive.setdefault(job.name, []).append(job)

    def of(self, record: SubmissionRecord, index: int) -> Ended | None:
        """Return how an item ended, or None where nothing is told."""
        for line in self._ended.get(record.id, []):
            if line.lists(record.task_of(index)):
                return line
        return None

    def alive(self, record: SubmissionRecord) -> Sequence[Job]:
        """Return the lines of the queue in which jobs of a submission are alive."""
        return self._alive.get(record.id, ())

    def job_id(self, record: SubmissionRecord) -> str:
        """Return the id of the job that a submission became."""
        return self._ended[record.id][0].job_id

    def is_listed(self, record: SubmissionRecord, index: int | None = None) -> bool:
        """Return whether any line, of what lives or has ended, lists a submission, or an item of it."""
        ended, alive = self._ended.get(record.id, ()), self.alive(record)
        if index is None:
            return bool(ended or alive)
        return any(line.lists(record.task_of(index)) for line in ended) or any(
            job.lists(record.task_of(index)) for job in alive
        )

    @cached_property
    def cancelled(self) -> set[str]:
        """The segments and checkpoints that were cancelled since they were last resumed.

        Of those that another job has nothing is concluded: one of two copies was cancelled.
        """
        history, segments = self._observed.history, self._observed.segments
        found = {
            key
            for record, index in self.leaving
            if (line := self.of(record, index)) and line.outcome is Outcome.cancelled
            for key in record.covers(index)
            if not history.was_resumed(key, line.at)
        }
        done = {key for key in found if key in segments and segments[key].is_done}
        return found - done - self._at_work

    @cached_property
    def leaving(self) -> tuple[tuple[SubmissionRecord, int], ...]:
        """The items that no live job lists any more, and of which the ledger has not noted it."""
        return tuple(self._leaving())

    def _leaving(self) -> Iterator[tuple[SubmissionRecord, int]]:
        for record in self._observed.history.submissions.values():
            if record.state is SubmissionState.over or record.where != self._observed.where:
                continue
            alive = self.alive(record)
            for index in range(len(record.items)):
                if index not in record.charged and not any(
                    job.lists(record.task_of(index)) for job in alive
                ):
                    yield record, index

    @cached_property
    def _at_work(self) -> set[str]:
        """The segments and checkpoints that some live job has."""
        submissions = self._observed.history.submissions
        return {
            key
            for name, jobs in self._alive.items()
            if (record := submissions.get(name))
            for index in range(len(record.items))
            if any(job.lists(record.task_of(index)) for job in jobs)
            and not needs_another_job(record, index, self._observed)
            for key in record.covers(index)
        }
