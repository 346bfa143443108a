"""The job in which this process runs, from the variables that Slurm sets; else this process itself."""

import os
from dataclasses import dataclass

from launcher.machines.slurm_client import own_job_id
from sweeps.host import this_host


@dataclass(frozen=True, kw_only=True, slots=True)
class Allocation:
    """A job: the id by which only it is meant, which of its starts this is, and its nodes.

    `nodes` are written as Slurm writes them: `n[1-4,7]`. The first one runs the batch process.
    """

    job_id: str
    restart: int
    nodes: str


def own_allocation() -> Allocation:
    """Return the job in which this process runs."""
    return Allocation(
        job_id=own_job_id() or str(os.getpid()),
        restart=int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        nodes=os.environ.get("SLURM_JOB_NODELIST", this_host()),
    )
