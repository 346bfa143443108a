"""Find how items ended that the queue has forgotten: from accounting, asked once, and their output."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from launcher.machines.queue import Ended
from launcher.reconcile.observe import Observed
from launcher.reconcile.told import Told
from launcher.records.ledger import SubmissionRecord, SubmissionState
from sweeps.work.outcome import Outcome

Outputs = Callable[[str, int], bool]
NEVER_STARTED = "CANCELLED before it started"


def explained(
    observed: Observed, ends: Callable[[list[str]], Iterable[Ended] | None], outputs: Outputs
) -> Observed:
    """Return what was observed, and how those items ended of which the queue tells nothing.

    Args:
        observed: what the queue and the files tell.
        ends: asks accounting how jobs ended, given their ids.
        outputs: whether an item of a submission has opened its output.
    """
    told = Told(observed)
    job_ids = sorted({record.job_id for record in _unexplained(observed, told)})
    asked = _with_ends(observed, ends(job_ids) or () if job_ids else ())
    return _with_ends(asked, _never_started(told if asked is observed else Told(asked), outputs))


def _unexplained(observed: Observed, told: Told) -> Iterator[SubmissionRecord]:
    """Yield the submissions of items that left without a word: nobody lists them, no attempt says."""
    for record, index in told.leaving:
        is_job = record.state is SubmissionState.submitted
        if (
            is_job
            and not told.is_listed(record, index)
            and not _says_how_it_ended(observed, record, index)
        ):
            yield record


def _says_how_it_ended(observed: Observed, record: SubmissionRecord, index: int) -> bool:
    evidence = observed.segments.get(record.items[index])
    if evidence is None or evidence.lease is None:
        return evidence is not None and evidence.is_done
    attempt = evidence.lease.attempt
    return attempt.holder.submission == record.id and attempt.outcome is not None


def _never_started(told: Told, outputs: Outputs) -> Iterator[Ended]:
    """Yield the tasks that are missing in an array which is listed, and have no output."""
    for record, index in told.leaving:
        is_missing = told.is_listed(record) and not told.is_listed(record, index)
        if is_missing and not outputs(record.id, record.task_of(index)):
            yield Ended(
                job_id=record.job_id,
                name=record.id,
                indices=frozenset({record.task_of(index)}),
                outcome=Outcome.cancelled,
                reason=NEVER_STARTED,
            )


def _with_ends(observed: Observed, ends: Iterable[Ended]) -> Observed:
    more = tuple(ends)
    if observed.queue is None or not more:
        return observed
    return replace(observed, queue=replace(observed.queue, ended=(*observed.queue.ended, *more)))
