"""What reconciling needs of a machine; two kinds of machine offer it."""

from collections.abc import Collection
from typing import Protocol

from conf.schema import ClusterConfig, ClusterKind, PolicyConfig
from launcher.machines.queue import Ended, Queue
from launcher.records.submission import Submission
from sweeps.folders import Root


class Executor(Protocol):
    """Takes submissions, knows which are alive, ends them."""

    @property
    def where(self) -> str:
        """The machine's own name, by which its submissions are told from those of other machines."""
        ...

    def queue(self) -> Queue:
        """Return the user's jobs.

        Raises:
            QueueUnknown: the scheduler could not be asked.
        """
        ...

    @property
    def max_array_size(self) -> int:
        """How many items one submission may have."""
        ...

    def refuse_excess(self, num_nodes: int) -> None:
        """Check jobs of so many nodes against the limits of the machine.

        Raises:
            UsageError: they exceed one.
            QueueUnknown: the scheduler could not be asked.
        """
        ...

    def room(self, queue: Queue) -> int | None:
        """Return how many more jobs the scheduler's limits allow this user; None = any number."""
        ...

    def ends(self, job_ids: Collection[str]) -> tuple[Ended, ...] | None:
        """Return how jobs ended that the queue has forgotten, or None where nobody knows."""
        ...

    def avoided(self) -> tuple[str, ...]:
        """Return the nodes on which no job should run now.

        Raises:
            QueueUnknown: the scheduler could not be asked.
        """
        ...

    def submit(self, submission: Submission, avoided: Collection[str]) -> str:
        """Hand a submission over whose jobs run on none of the nodes `avoided`; return its job id.

        Raises:
            SubmissionDeferred: the scheduler makes no job now, but later.
            SubmissionRefused: the scheduler said no, for good.
            QueueUnknown: there was no clear answer; the job may exist.
        """
        ...

    def stop(self, job_ids: Collection[str]) -> None:
        """Ask jobs to save a checkpoint and leave.

        Raises:
            QueueUnknown: there was no clear answer; some may not have been asked.
        """
        ...

    @property
    def all_cores(self) -> int | None:
        """How many cores there are to share out, or None where the scheduler sees to that."""
        ...

    def free_cores(self, queue: Queue) -> int | None:
        """Return how many of them may be taken now."""
        ...


def executor_for(cluster: ClusterConfig, policy: PolicyConfig, root: Root) -> Executor:
    """Return the executor of a cluster, for work under a root; the other kind is not even imported."""
    if cluster.kind is ClusterKind.local:
        from launcher.machines.local import LocalExecutor

        return LocalExecutor(cluster)
    from launcher.machines.slurm import SlurmExecutor

    return SlurmExecutor(cluster, policy, root)
