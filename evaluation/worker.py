"""A scoring process: `python -m evaluation.worker ORDER` scores what the order file says."""

import logging
import sys

from evaluation import orders
from evaluation.due import Due
from evaluation.orders import ScoreOrder
from evaluation.results.compaction import keep_tidy
from sweeps.errors import ScoringFailed
from sweeps.folders import Root
from training.collector import collector_at_rest
from training.exits import RankExit, leave_verdict
from training.leash import take_order

log = logging.getLogger(__name__)


def main() -> int:
    """Score; return an exit code of `RankExit`."""
    order = orders.read(take_order("evaluation.worker", __doc__))
    root = Root(order.root)
    try:
        if any(Due(root).among(order.item.checkpoints)) and not score(order):
            return RankExit.stopped
    except ScoringFailed as error:
        log.error("%s", error)
        return RankExit.bad_data
    keep_tidy(root.results)
    return RankExit.finished


def score(order: ScoreOrder) -> bool:
    """Score with torch, which takes seconds to import; return False if asked to stop before the end.

    Raises:
        ScoringFailed: some checkpoints could not be scored.
        torch.AcceleratorError: a GPU failed.
    """
    with collector_at_rest():
        import torch

        from evaluation.scoring import score_all
    torch.set_num_threads(order.item.resources.threads_per_rank)
    try:
        return score_all(order)
    except torch.AcceleratorError as error:
        from training.verdict import verdict_of

        if verdict := verdict_of(error):
            leave_verdict(order.verdict_file, verdict)
        raise


if __name__ == "__main__":
    sys.exit(main())
