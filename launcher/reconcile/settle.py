"""What became of each submission, and what is to be noted of it. Pure, as `plan` is.

| what is known of a submission                               | action      |
|--------------------------------------------------------------|-------------|
| handed over, no answer, or given up; the queue lists it      | Adopt       |
| … a good answer, asked after sbatch had ended, lacks it      | NoteUnlisted |
| … and so does one at least `settle_s` later                  | GiveUp      |
| handed over, answered; the queue no longer lists it          | NoteEnded   |
| … or lists it, but some items of it no longer                | NoteLeft    |
| the queue tells that the user cancelled items of it         | NoteCancelled |
| no answer, but the queue still tells how it ended            | Adopt, NoteEnded |
| made on a machine that the user calls lost                   | GiveUp      |
| anything, but the queue could not be asked, or elsewhere     | nothing     |
"""

from collections.abc import Iterable, Iterator, Sequence

from conf.schema import PolicyConfig
from launcher.machines.queue import Ended, Job, Queue
from launcher.reconcile.actions import (
    Action,
    Adopt,
    GiveUp,
    NoteCancelled,
    NoteEnded,
    NoteLeft,
    NoteUnlisted,
)
from launcher.reconcile.observe import Observed
from launcher.reconcile.told import Told
from launcher.records.ledger import SubmissionRecord, SubmissionState

SBATCH_MARGIN_S = 10.0
"""An sbatch has ended its client timeout after it began, its kill included, and some more."""


def settle(observed: Observed, queue: Queue, policy: PolicyConfig, told: Told) -> Iterator[Action]:
    """Yield what is to be noted: what the user cancelled, and how far submissions have come.

    Args:
        observed: what is.
        queue: its good answer.
        policy: patience.
        told: what the scheduler tells of `observed`.
    """
    if cancelled := told.cancelled - observed.history.cancelled:
        yield NoteCancelled(keys=tuple(sorted(cancelled)), asked_at=queue.asked_at)
    for record in observed.history.submissions.values():
        if record.where != observed.where:
            yield from _give_up_lost(record, policy)
        elif jobs := told.alive(record):
            yield from _note_listed(record, jobs, told)
        elif record.state is SubmissionState.submitted or told.is_listed(record):
            yield from _note_ended(record, told)
        elif record.state is SubmissionState.unresolved:
            yield from _settle_unlisted(record, queue, policy)


def _give_up_lost(record: SubmissionRecord, policy: PolicyConfig) -> Iterator[Action]:
    if record.where in policy.lost_machines and record.state is not SubmissionState.over:
        yield GiveUp(submission=record.id)


def _note_listed(record: SubmissionRecord, jobs: Sequence[Job], told: Told) -> Iterator[Action]:
    if record.state is not SubmissionState.submitted:
        yield Adopt(submission=record.id, job_id=jobs[0].job_id.partition("_")[0])
    left = tuple(
        index
        for index in range(len(record.items))
        if index not in record.charged and not any(job.lists(record.task_of(index)) for job in jobs)
    )
    if left:
        yield NoteLeft(submission=record.id, indices=left, told=_lines(record, left, told))


def _note_ended(record: SubmissionRecord, told: Told) -> Iterator[Action]:
    """Yield that a submission is over; one that was unresolved became a job then."""
    if record.state is SubmissionState.over:
        return
    if record.state is SubmissionState.unresolved:
        yield Adopt(submission=record.id, job_id=told.job_id(record))
    lines = _lines(record, range(len(record.items)), told)
    yield NoteEnded(submission=record.id, told=lines)


def _lines(record: SubmissionRecord, indices: Iterable[int], told: Told) -> tuple[Ended | None, ...]:
    lines = tuple(told.of(record, index) for index in indices)
    return lines if any(lines) else ()


def _settle_unlisted(record: SubmissionRecord, queue: Queue, policy: PolicyConfig) -> Iterator[Action]:
    if queue.asked_at < record.since + policy.client_timeout_s + SBATCH_MARGIN_S:
        return
    if record.unlisted_at is None:
        yield NoteUnlisted(submission=record.id, asked_at=queue.asked_at)
    elif queue.asked_at >= record.unlisted_at + policy.settle_s:
        yield GiveUp(submission=record.id)
