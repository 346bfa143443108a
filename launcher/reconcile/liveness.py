"""Who may be at work on what: the items of which the queue, or the lack of an answer, says so. Pure."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from enum import Enum

from launcher.machines.queue import Job
from launcher.reconcile.observe import Observed
from launcher.records.ledger import SubmissionRecord, SubmissionState
from sweeps.work.outcome import ON_REQUEST, Outcome

WITH_ITS_JOB = ON_REQUEST - {Outcome.cancelled}
"""How an attempt ends when all that share its job are asked to stop."""


class Liveness(Enum):
    """Whether somebody is at work on an item, as far as is known."""

    running = "running"
    queued = "queued"
    unknown = "unknown"


def live_items(observed: Observed, over: Container[str] = ()) -> dict[str, Liveness]:
    """Return every work item and every checkpoint being scored that is, or may be, alive.

    Alive is what the queue lists, what was handed over without a clear answer, and what another
    machine on this file system was given: that one's queue cannot be asked from here.

    Args:
        observed: what is.
        over: submissions that have just been found to be over.
    """
    live: dict[str, Liveness] = {}
    for record, index, liveness in _alive(observed, over):
        live.update(dict.fromkeys(record.covers(index), liveness))
    return live


@dataclass(frozen=True, kw_only=True, slots=True)
class InHand:
    """Checkpoints that have scorers.

    `now`: those run, or may start. `soon`: those wait for jobs that have trained and are about to end.
    `late`: those wait for jobs of which some train.
    """

    now: set[str] = field(default_factory=set)
    soon: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)


def scores_in_hand(observed: Observed, over: Container[str], ended: Container[str]) -> InHand:
    """Return the checkpoints that have scorers. `ended`: segments that nobody trains any more."""
    alive = list(_alive(observed, over))
    listed = {job.name for job in observed.queue.jobs} if observed.queue else set()
    training = {
        record.id
        for record, index, _ in alive
        if not record.checkpoints and record.items[index] not in ended
    }
    found = InHand()
    for record, index, liveness in alive:
        if record.checkpoints:
            waits = liveness is Liveness.queued and record.after in listed
            when = found.now if not waits else found.late if record.after in training else found.soon
            when.update(record.checkpoints[index])
    return found


def needs_another_job(record: SubmissionRecord, index: int, observed: Observed) -> bool:
    """Return whether the user resumed an item that had ended in a job which goes on with others.

    If its supervisor was only between two attempts, the lease keeps a copy from starting.
    """
    key = record.items[index]
    evidence = observed.segments.get(key)
    if record.pack == 1 or evidence is None or evidence.lease is None:
        return False
    attempts = evidence.lease.attempts
    last = next((a for a in reversed(attempts) if a.holder.submission == record.id), None)
    if last is None or last.outcome is None or last.outcome in WITH_ITS_JOB:
        return False
    return observed.history.was_resumed(key, last.beat_at)


def _alive(
    observed: Observed, over: Container[str]
) -> Iterator[tuple[SubmissionRecord, int, Liveness]]:
    """Yield (submission, index of an item that is or may be alive, how far that is known)."""
    listed: dict[str, list[Job]] = {}
    for job in observed.queue.jobs if observed.queue else ():
        listed.setdefault(job.name, []).append(job)
    for record in observed.history.submissions.values():
        is_over = record.state is SubmissionState.over or record.id in over
        if is_over and record.id not in listed:
            continue
        is_known = observed.queue is not None and record.where == observed.where
        for index in range(len(record.items)):
            if needs_another_job(record, index, observed):
                continue
            found = [job for job in listed.get(record.id, []) if job.lists(record.task_of(index))]
            if found:
                is_running = any(job.is_running for job in found)
                yield record, index, Liveness.running if is_running else Liveness.queued
            elif not (is_known and (record.id in listed or record.state is SubmissionState.submitted)):
                yield record, index, Liveness.unknown
