"""What is read once of items that have ended, and kept in the ledger: outcomes, charges, speeds."""

from collections.abc import Sequence
from typing import Any

from launcher.machines.queue import Ended
from launcher.records import submission
from launcher.records.submission import Submission
from sweeps.costs.cost import setting_of
from sweeps.costs.rates import Rate
from sweeps.folders import Root
from sweeps.work import lease
from sweeps.work.items import TrainItem, WorkItem
from sweeps.work.lease import Attempt, Lease
from sweeps.work.outcome import Outcome
from training.checkpoints.done import read_done

REASON_LENGTH = 2000


def ends_of(
    root: Root, name: str, indices: Sequence[int] = (), told: Sequence[Ended | None] = ()
) -> dict[str, Any]:
    """Return fields of a ledger line: how items of a submission ended, empty where that is unknown.

    Args:
        root: where it lies.
        name: of the submission.
        indices: of the items; without them, all.
        told: what the scheduler says of each of those, if it does.
    """
    given = submission.read(root.submission(name))
    chosen = indices or range(len(given.items))
    leases = [lease.newest(given.item_folder(index)) for index in chosen]
    ends = [
        end_of(name, held, line)
        for held, line in zip(leases, told or [None] * len(leases), strict=True)
    ]
    items = [given.items[index] for index in chosen]
    return {
        "outcomes": tuple(outcome.value if outcome else "" for outcome, _ in ends),
        "reasons": tuple(reason[-REASON_LENGTH:] for _, reason in ends),
        "hours": tuple(lease.charged_by(name, held) for held in leases),
        "rates": {item.key: rate for item in items if (rate := _rate(item, given, root))},
    }


def end_of(name: str, held: Lease | None, told: Ended | None) -> tuple[Outcome | None, str]:
    """Return how an item ended in a submission: as its own attempt says, else as the scheduler does.

    Of a job that was cancelled before its supervisor learnt why, the scheduler knows more.
    """
    own = held.attempt if held and held.attempt.holder.submission == name else None
    if told is not None and _says_more(told, own):
        return told.outcome, told.reason
    return (own.outcome, own.reason) if own else (None, "")


def _says_more(told: Ended, own: Attempt | None) -> bool:
    if own is None or own.outcome is None:
        return True
    return told.outcome is Outcome.cancelled and own.outcome is not Outcome.done


def _rate(item: WorkItem, given: Submission, root: Root) -> Rate | None:
    """Return how fast a finished segment was trained, if it was on the same layout all the time."""
    done = read_done(root.segment(item.key)) if isinstance(item, TrainItem) else None
    if done is None or not isinstance(item, TrainItem):
        return None
    parent = read_done(root.segment(item.segment.parent)) if item.segment.parent else None
    seconds = done.train_s - (parent.train_s if parent else 0.0)
    rank_s = done.rank_s - (parent.rank_s if parent else 0.0)
    samples = done.samples_trained - (parent.samples_trained if parent else 0)
    if seconds <= 0 or round(rank_s / seconds, 3) != item.resources.num_ranks:
        return None
    return Rate(
        of=setting_of(item.segment, item.resources, given.cluster), samples_per_s=samples / seconds
    )
