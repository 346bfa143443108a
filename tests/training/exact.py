"""Ranks that are killed on their way, or let to finish."""

import random
import time

from tests.commands import wait_for
from tests.training.ranks import start_ranks
from training.checkpoints.done import read_done
from training.exits import RankExit
from training.orders import TrainOrder
from training.telemetry.metrics import last_moment, metrics_path


def killed_at_random(order: TrainOrder, seed: int, **env: str) -> int:
    """Start the ranks and kill one of them with SIGKILL somewhere on the way; return how far it was."""
    ranks = start_ranks(order, **env)
    metrics = metrics_path(order.folder, order.attempt)
    before = last_moment(metrics)
    wait_for(lambda: last_moment(metrics) != before or ranks[0].has_ended, "the first step")
    time.sleep(random.Random(seed).uniform(0.05, 0.6))
    ranks[seed % len(ranks)].kill()
    for rank in ranks:
        rank.kill()
        rank.wait()
    moment = last_moment(metrics)
    return moment.samples_seen if moment else 0


def finished(order: TrainOrder, **env: str) -> str:
    """Start the ranks and let them finish; return the digest of the final weights."""
    codes = [rank.wait() for rank in start_ranks(order, **env)]
    assert codes == [RankExit.finished] * len(codes), (order.folder / "log.txt").read_text()
    marker = read_done(order.folder)
    assert marker is not None
    return marker.weights_sha256
