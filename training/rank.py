"""One rank: `python -m training.rank ORDER` trains what the order file says.

Started by a supervisor, once a rank; its exit code is a `RankExit`.
"""

import logging
import sys

from training.collector import collector_at_rest

with collector_at_rest():
    import torch

    from sweeps import durable
    from sweeps.errors import IsogridError
    from training.distributed import join_world, leave_world
    from training.exits import RankExit, leave_verdict
    from training.leash import take_order
    from training.loop import train_segment
    from training.orders import TrainOrder
    from training.verdict import verdict_of

log = logging.getLogger(__name__)


def main() -> int:
    """Run one rank; return its exit code."""
    order = durable.decode(take_order("training.rank", __doc__).read_bytes(), TrainOrder)
    torch.set_num_threads(order.item.resources.threads_per_rank)
    try:
        return _train(order)
    except (IsogridError, MemoryError, OSError, RuntimeError) as error:
        verdict = verdict_of(error)
        if verdict is None:
            raise
        # Written before this process ends: its peers notice that first, and know less.
        leave_verdict(order.verdict_file, verdict)
        log.error("%s", error, exc_info=not isinstance(error, IsogridError))
        return verdict.code


def _train(order: TrainOrder) -> RankExit:
    world = join_world()
    is_finished = train_segment(order, world)
    leave_world(world)
    return RankExit.finished if is_finished else RankExit.stopped


if __name__ == "__main__":
    sys.exit(main())
