"""A scoring process: `python -m evaluation.worker ORDER` scores what the order file says."""

import logging
import sys

from training.collector import collector_at_rest

with collector_at_rest():
    import torch

    from evaluation.compaction import keep_tidy
    from evaluation.orders import ScoreOrder
    from evaluation.scoring import score_all
    from sweeps import durable
    from sweeps.errors import ScoringFailed
    from sweeps.folders import Root
    from training.exits import RankExit
    from training.leash import take_order

log = logging.getLogger(__name__)


def main() -> int:
    """Score; return an exit code of `RankExit`."""
    order = durable.decode(take_order("evaluation.worker", __doc__).read_bytes(), ScoreOrder)
    torch.set_num_threads(order.item.resources.threads_per_rank)
    try:
        if not score_all(order):
            return RankExit.stopped
    except ScoringFailed as error:
        log.error("%s", error)
        return RankExit.bad_data
    keep_tidy(Root(order.root).results)
    return RankExit.finished


if __name__ == "__main__":
    sys.exit(main())
