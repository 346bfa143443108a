"""A job: `python -m launcher.jobs.job SUBMISSION` executes the work items of one array task.

Under Slurm it is the batch process itself, on the job's first node. One item is supervised in this
process. Several share the node: each has a supervisor of its own, with its part of the cores and GPUs,
and none disturbs another. As its last act the job goes back into the queue if some item needs more
time. If it may not, or need not, it has the sweep go on (`launcher.jobs.relaunch`).
"""

import argparse
import logging
import os
import sys
from collections.abc import Collection
from pathlib import Path

from conf.schema import ClusterKind
from launcher.jobs.allocation import own_allocation
from launcher.jobs.departure import Departure
from launcher.jobs.pack import supervise_pack
from launcher.jobs.relaunch import go_on
from launcher.jobs.stop import StopRequest
from launcher.jobs.supervisor import Supervisor
from launcher.machines import slurm_client
from launcher.records import submission
from launcher.records.submission import Submission
from sweeps.errors import QueueUnknown, RequeueRefused
from sweeps.logs import configure_logging

log = logging.getLogger(__name__)


def main() -> int:
    """Execute the items of one job; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m launcher.jobs.job", description=__doc__)
    parser.add_argument("submission", type=Path)
    arguments = parser.parse_args()
    stop = StopRequest()
    configure_logging()
    given = submission.read(arguments.submission)
    task = int(os.environ.get("SLURM_ARRAY_TASK_ID", "0"))
    indices = given.indices(task)
    if len(indices) == 1:
        departures = {Supervisor(given, indices[0], stop).run()}
    else:
        departures = supervise_pack(given, indices, stop)
    is_requeued = Departure.out_of_time in departures and _requeue(given)
    if not is_requeued and stop.leaves_time:
        go_on(given, task)
    return _exit_status(departures)


def _requeue(given: Submission) -> bool:
    """Put this job back into the queue, where it is Slurm's: then this process is killed at once."""
    if given.cluster.kind is not ClusterKind.slurm:
        return False
    try:
        slurm_client.requeue(own_allocation().job_id, given.policy.client_timeout_s)
    except RequeueRefused as error:
        log.warning("not requeued (%s): the next launch continues", error)
        return False
    except QueueUnknown as error:
        log.warning("perhaps not requeued (%s): the next launch continues, if so", error)
    return True


def _exit_status(departures: Collection[Departure]) -> int:
    return int(bool({Departure.elsewhere, Departure.gave_up} & set(departures)))


if __name__ == "__main__":
    sys.exit(main())
