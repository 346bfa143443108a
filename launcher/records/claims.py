"""What the ledger says about claims on checkpoints: how often one failed, and who may follow it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from evaluation.claims import Claim, Scorer
from launcher.records.ledger import NEVER, History, SubmissionState
from sweeps.work.outcome import ON_REQUEST

STOPPED = {outcome.value for outcome in ON_REQUEST}


def num_failures(claim: Claim, history: History) -> int:
    """Return how many tries to score a checkpoint failed since the user last asked to try again.

    A try that goes on has not failed, nor has one whose process was asked to stop.
    """
    record = history.submissions.get(claim.scorer.submission)
    if record is not None and record.since < history.resumed.get(claim.segment, NEVER).time:
        return 0
    has_failed = claim.error or (_is_over(claim, history) and not _was_stopped(claim, history))
    return claim.tries if has_failed else claim.tries - 1


def followable(
    claims: Iterable[Claim], me: Scorer, history: History, *, most_tries: int
) -> Iterator[Claim]:
    """Yield the claims that a scoring process may follow, with the tries that count as failed.

    What failed is tried again by another submission, what was cut off also by a later attempt. Where
    it is known which evals failed, the checkpoint was handed over for the sake of others.

    Args:
        claims: that hold.
        me: the process that asks.
        history: tells which submissions are over.
        most_tries: no checkpoint is tried more often for which all of it failed.
    """
    for claim in claims:
        is_mine = replace(claim.scorer, attempt=me.attempt) == me and not claim.error
        is_through = bool(claim.error) and claim.scorer.submission != me.submission
        failures = claim.tries if is_mine else num_failures(claim, history)
        is_free = is_mine or is_through or _is_over(claim, history)
        if is_free and (failures < most_tries or claim.failed):
            yield replace(claim, tries=failures)


def _is_over(claim: Claim, history: History) -> bool:
    record = history.submissions.get(claim.scorer.submission)
    return record is not None and record.state is SubmissionState.over


def _was_stopped(claim: Claim, history: History) -> bool:
    outcomes = history.submissions[claim.scorer.submission].outcomes
    return outcomes.get(claim.scorer.index) in STOPPED
