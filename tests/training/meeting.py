"""A rank that only meets the others: for tests of how ranks come together."""

import sys
from datetime import timedelta

from torch.distributed import DistStoreError

from sweeps.errors import PortTaken
from training import distributed


def main() -> int:
    """Meet the others within the seconds given; print what came of it."""
    distributed.JOIN_TIMEOUT = timedelta(seconds=float(sys.argv[1]))
    try:
        world = distributed.join_world()
    except (DistStoreError, PortTaken) as error:
        print(f"{type(error).__name__}: {error}")
        return 1
    print(f"joined, the first says {distributed.first_decides(world.rank + 41, world)}", flush=True)
    distributed.leave_world(world)
    return 0


if __name__ == "__main__":
    sys.exit(main())
