"""A Slurm cluster as the launcher sees it."""

import re
from functools import cached_property

from conf.schema import ClusterConfig, PolicyConfig
from launcher.machines.queue import Queue
from launcher.machines.slurm_client import ask_queue, client
from launcher.records.submission import Submission
from sweeps.errors import QueueUnknown


class SlurmExecutor:
    """Submits arrays of supervisors to a Slurm cluster."""

    all_cores = None

    def __init__(self, cluster: ClusterConfig, policy: PolicyConfig) -> None:
        self._cluster = cluster
        self._timeout_s = policy.client_timeout_s

    @cached_property
    def where(self) -> str:
        """`slurm@` and the cluster's own name."""
        shown = client(["scontrol", "show", "config"], self._timeout_s)
        found = re.search(r"^ClusterName\s*=\s*(\S+)", shown, re.MULTILINE)
        if not found:
            raise QueueUnknown("scontrol show config names no cluster")
        return f"slurm@{found[1]}"

    def queue(self) -> Queue:
        """Return the user's jobs, by one squeue call."""
        return ask_queue(self._timeout_s)

    def submit(self, submission: Submission) -> str:
        """Write a batch script and hand it to sbatch; return the job id."""
        from launcher.machines.sbatch import submit  # `status` needs no submitit

        return submit(submission)

    def stop(self, job_id: str) -> None:
        """Cancel a job; its supervisor has it saved while Slurm waits to kill it."""
        client(["scancel", job_id], self._timeout_s)

    def free_cores(self, queue: Queue) -> None:
        """Return None: Slurm sees to what fits."""
