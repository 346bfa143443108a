"""One rank: `python -m training.rank ORDER` trains what the order file says.

Started by a supervisor, once a rank; its exit code is a `RankExit`.
"""

import logging
import sys

import torch

from sweeps import durable
from sweeps.errors import DataError, NotFinite, Superseded, UsageError
from training.distributed import World, join_world, leave_world
from training.exits import RankExit, leave_verdict
from training.leash import take_order
from training.loop import train_segment
from training.orders import TrainOrder

log = logging.getLogger(__name__)


def main() -> int:
    """Run one rank; return its exit code."""
    order = durable.decode(take_order("training.rank", __doc__).read_bytes(), TrainOrder)
    torch.set_num_threads(order.item.resources.threads_per_rank)
    world = join_world()
    code = _train(order, world)
    leave_world(world)
    return code


def _train(order: TrainOrder, world: World) -> RankExit:
    try:
        return RankExit.finished if train_segment(order, world) else RankExit.stopped
    except Superseded as error:
        return _give_up(order, error, RankExit.superseded)
    except (DataError, UsageError) as error:
        return _give_up(order, error, RankExit.bad_data)
    except NotFinite as error:
        return _give_up(order, error, RankExit.not_finite)


def _give_up(order: TrainOrder, error: Exception, code: RankExit) -> RankExit:
    log.error("%s", error)
    leave_verdict(order.verdict_file, code)
    return code


if __name__ == "__main__":
    sys.exit(main())
