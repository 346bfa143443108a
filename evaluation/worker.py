"""A scoring process: `python -m evaluation.worker ORDER` scores what the order file says."""

import argparse
import logging
import sys
from pathlib import Path

import torch

from evaluation.orders import ScoreOrder
from evaluation.scoring import score_all
from sweeps import durable
from sweeps.errors import ScoringFailed, UsageError
from sweeps.logs import configure_logging
from training.exits import RankExit
from training.leash import die_with_parent, ignore_stop_signals

log = logging.getLogger(__name__)


def main() -> int:
    """Score; return an exit code of `RankExit`."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.worker", description=__doc__)
    parser.add_argument("order", type=Path)
    parser.add_argument("--leash", action="store_true", help="die when standard input ends")
    arguments = parser.parse_args()
    configure_logging()
    ignore_stop_signals()
    if arguments.leash:
        die_with_parent()
    order = durable.decode(arguments.order.read_bytes(), ScoreOrder)
    torch.set_num_threads(order.item.resources.threads_per_rank)
    try:
        return RankExit.finished if score_all(order) else RankExit.stopped
    except (ScoringFailed, UsageError) as error:
        log.error("%s", error)
        return RankExit.bad_data


if __name__ == "__main__":
    sys.exit(main())
