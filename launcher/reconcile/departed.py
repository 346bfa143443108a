"""Jobs that have left the queue, by the segment that they were to train: what the ledger tells. Pure.

An attempt says in its lease how it ended. Two things the ledger alone knows: that a job ended before an
attempt began (its prolog fails, its interpreter or code is missing), and what the scheduler said of one
whose process could say nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.machines.queue import Ended
from launcher.reconcile.observe import Observed
from launcher.reconcile.told import Told
from launcher.records.ledger import SubmissionRecord, SubmissionState
from launcher.records.submission import output_path
from sweeps.folders import Root
from sweeps.text import plural
from sweeps.work.lease import Lease, as_told
from sweeps.work.outcome import Outcome

UNTROUBLED = {outcome.value for outcome in (Outcome.stopped, Outcome.cancelled, Outcome.preempted)}
"""A job that ends so before an attempt begins did not fail."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Departed:
    """A job that was to train a segment, by its submission; outcome and reason are empty if unknown.

    `since`: when it was handed over. `log`: what it printed, relative to the root.
    """

    submission: str
    since: float
    log: Path
    outcome: str
    reason: str


def departed_jobs(observed: Observed, told: Told) -> dict[str, list[Departed]]:
    """Return the jobs of each unfinished segment, in the order in which they were handed over.

    Args:
        observed: what is.
        told: what is told of those that left since the ledger was last written.
    """
    found: dict[str, list[Departed]] = {
        key: [] for key, evidence in observed.segments.items() if not evidence.is_done
    }
    leaving: dict[str, list[int]] = {}
    for record, index in told.leaving:
        if record.state is SubmissionState.submitted or told.is_listed(record):
            leaving.setdefault(record.id, []).append(index)
    for record in observed.history.submissions.values():
        for index in (*record.charged, *leaving.get(record.id, ())) if not record.checkpoints else ():
            if (key := record.items[index]) in found:
                found[key].append(_departed(record, index, told.of(record, index)))
    return found


def _departed(record: SubmissionRecord, index: int, line: Ended | None) -> Departed:
    outcome = line.outcome.value if line and line.outcome else ""
    return Departed(
        submission=record.id,
        since=record.since,
        log=output_path(Root(Path()).submission(record.id), record.task_of(index)),
        outcome=record.outcomes.get(index, outcome),
        reason=record.reasons.get(index, line.reason if line else ""),
    )


def why_never_begun(
    jobs: Sequence[Departed], held: Lease | None, most: int, since: float = 0.0
) -> str | None:
    """Return why no further job is made for a segment, or None if one may be.

    Args:
        jobs: that were to train it, in order.
        held: its lease.
        most: jobs in a row that may end before an attempt begins.
        since: what was handed over earlier does not count: then the user asked to try again.
    """
    begun = {attempt.holder.submission for attempt in held.attempts} if held else set()
    in_vain: list[Departed] = []
    for job in jobs:
        if job.submission in begun:
            in_vain.clear()
        elif job.since >= since and job.outcome not in UNTROUBLED:
            in_vain.append(job)
    if len(in_vain) < most:
        return None
    last, many = in_vain[-1], f"{plural(len(in_vain), 'job')} in a row ended before training began"
    said = f": {last.reason}" if last.reason else ""
    return f"{many}{said}; what the last one printed: {last.log}"


def with_told_end(held: Lease, jobs: Sequence[Departed]) -> Lease:
    """Return a lease whose last attempt, if its process left it open, ended as is told of its job."""
    attempt = held.attempt
    for job in jobs:
        if job.submission == attempt.holder.submission:
            attempt = as_told(attempt, job.outcome, job.reason)
    return replace(held, attempt=attempt)


def said_by_scheduler(jobs: Sequence[Departed], held: Lease | None) -> str:
    """Return the scheduler's words on the last job, where its own attempt tells nothing of its end."""
    if not jobs or jobs[-1].outcome in UNTROUBLED:
        return ""
    last = jobs[-1]
    own = [a for a in held.attempts if a.holder.submission == last.submission] if held else []
    if own and own[-1].outcome not in (None, Outcome.vanished):
        return ""
    return f"the scheduler says of the last job: {last.reason}" if last.reason else ""
