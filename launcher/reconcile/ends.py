"""What is read once of items that have ended, and kept in the ledger: outcomes, charges, speeds."""

from collections.abc import Sequence
from typing import Any

from launcher.records import lease, submission
from launcher.records.submission import Submission
from sweeps.cost import setting_of
from sweeps.folders import Root
from sweeps.items import TrainItem, WorkItem
from sweeps.rates import Rate
from training.done import read_done

REASON_LENGTH = 2000


def ends_of(root: Root, name: str, indices: Sequence[int] = ()) -> dict[str, Any]:
    """Return fields of a ledger line: how items of a submission ended, empty where none began.

    Args:
        root: where it lies.
        name: of the submission.
        indices: of the items; without them, all.
    """
    given = submission.read(root.submission(name))
    chosen = indices or range(len(given.items))
    leases = [lease.newest(given.item_folder(index)) for index in chosen]
    ends = [held.attempt if held else None for held in leases]
    items = [given.items[index] for index in chosen]
    return {
        "outcomes": tuple(end.outcome.value if end and end.outcome else "" for end in ends),
        "reasons": tuple(end.reason[-REASON_LENGTH:] if end and given.score else "" for end in ends),
        "hours": tuple(lease.charged_by(name, held) for held in leases),
        "rates": {item.key: rate for item in items if (rate := _rate(item, given, root))},
    }


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
