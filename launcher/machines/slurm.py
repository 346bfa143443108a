"""A Slurm cluster as the launcher sees it."""

import time
from collections.abc import Collection
from functools import cached_property

from conf.schema import ClusterConfig, PolicyConfig
from launcher.machines.accounting import ask_ends
from launcher.machines.limits import (
    Limits,
    ask_limits,
    kept_limits,
    max_array_size,
    parse_settings,
    refuse_excess,
)
from launcher.machines.nodes import nodes_of
from launcher.machines.queue import Ended, Queue
from launcher.machines.slurm_client import ask_queue, client, own_job_id
from launcher.records import quarantine
from launcher.records.submission import Submission
from sweeps import durable
from sweeps.errors import QueueUnknown, UsageError
from sweeps.folders import Root


class SlurmExecutor:
    """Submits arrays of supervisors to a Slurm cluster."""

    all_cores = None

    def __init__(self, cluster: ClusterConfig, policy: PolicyConfig, root: Root) -> None:
        self._cluster, self._root = cluster, root
        self._timeout_s = policy.client_timeout_s

    @property
    def where(self) -> str:
        """`slurm@` and the cluster's own name."""
        return f"slurm@{self._settings['ClusterName']}"

    @property
    def max_array_size(self) -> int:
        """How many items one submission may have: as configured, unless the cluster allows fewer."""
        return max_array_size(self._settings, self._cluster.max_array_size)

    def refuse_excess(self, num_nodes: int) -> None:
        """Check jobs against what the cluster allows now; limits that were kept refuse nothing.

        Raises:
            UsageError: they are longer or wider than their partition allows.
            QueueUnknown: the controller did not answer.
        """
        try:
            refuse_excess(self._limits(), self._cluster, num_nodes)
        except UsageError:
            refuse_excess(self._ask_limits(), self._cluster, num_nodes)

    def room(self, queue: Queue) -> int | None:
        """Return how many more jobs the limits allow this user; None = any number, or unknown."""
        try:
            return self._limits().room(self._cluster, queue)
        except QueueUnknown:
            return None

    def ends(self, job_ids: Collection[str]) -> tuple[Ended, ...]:
        """Return how jobs ended that the controller has forgotten, as far as accounting knows."""
        return tuple(ask_ends(job_ids, self._timeout_s))

    def queue(self) -> Queue:
        """Return the user's jobs, by one squeue call; but one that launches is about to end."""
        return ask_queue(self._timeout_s).without(own_job_id())

    def submit(self, submission: Submission, avoided: Collection[str]) -> str:
        """Write a batch script and hand it to sbatch; return the job id."""
        from launcher.machines.sbatch import submit  # `status` needs no submitit

        return submit(submission, avoided)

    def avoided(self) -> tuple[str, ...]:
        """Return the nodes of this cluster that are in quarantine."""
        entries = quarantine.in_force(self._root.quarantine, time.time())
        if not entries:
            return ()
        return quarantine.excluded(
            entries, self.where, nodes_of(self._cluster.partition, self._timeout_s)
        )

    def stop(self, job_ids: Collection[str]) -> None:
        """Cancel jobs; their supervisors have them saved while Slurm waits to kill them."""
        client(["scancel", *job_ids], self._timeout_s)

    def free_cores(self, queue: Queue) -> None:
        """Return None: Slurm sees to what fits."""

    @cached_property
    def _settings(self) -> dict[str, str]:
        """The controller's settings; never kept, because they say which cluster this is."""
        settings = parse_settings(client(["scontrol", "show", "config"], self._timeout_s))
        if not settings.get("ClusterName"):
            raise QueueUnknown("scontrol show config names no cluster")
        return settings

    def _limits(self) -> Limits:
        known = kept_limits(self._root.limits(self.where), time.time())
        return known if known is not None else self._ask_limits()

    def _ask_limits(self) -> Limits:
        limits = ask_limits(self._settings, time.time(), self._timeout_s)
        if self._root.path.is_dir():
            path = self._root.limits(self.where)
            path.parent.mkdir(exist_ok=True)
            durable.replace(path, durable.encode(limits))
        return limits
