"""What a Slurm cluster allows: how long, how wide and how many jobs. What is unknown limits nothing.

The controller's own settings are read at every launch, because which cluster it is hangs on them.
Partitions and accounts are kept for an hour: a login node should not ask a database at every turn.
sbatch has the last word.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from conf.schema import ClusterConfig
from launcher.machines.accounting import Accounts, Charge, SubmitLimit, ask_accounts
from launcher.machines.queue import Job, Queue
from launcher.machines.slurm_client import client
from sweeps import durable
from sweeps.errors import DamagedFile, UsageError, choices

KEPT_S = 3600.0
TIME = re.compile(r"(?:(\d+)-)?(\d+):(\d+):(\d+)")
SETTING = re.compile(r"^(\w+)\s*= ?(.*)$", re.MULTILINE)
FIELD = re.compile(r"(\w+)=(\S*)")
MOST_TASKS = re.compile(r"\bmax_array_tasks=(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """Limits of a partition; None = it has no such limit. `qos`: its limits hold for all jobs here."""

    name: str
    is_default: bool = False
    max_time_min: int | None = None
    max_nodes: int | None = None
    qos: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What holds for this user on a cluster. `asked_at`: seconds since 1970."""

    asked_at: float
    partitions: tuple[Partition, ...] = ()
    accounts: Accounts = field(default_factory=Accounts)

    def partition_of(self, cluster: ClusterConfig) -> Partition | None:
        """Return the partition that jobs go to, or None where it is unknown."""
        for partition in self.partitions:
            if partition.name == cluster.partition or (partition.is_default and not cluster.partition):
                return partition
        return None

    def charge_of(self, cluster: ClusterConfig) -> Charge:
        """Return what jobs are charged to."""
        partition = self.partition_of(cluster)
        name = partition.name if partition else cluster.partition or ""
        return self.accounts.charge(cluster.account, cluster.qos, name)

    def room(self, cluster: ClusterConfig, queue: Queue) -> int | None:
        """Return how many more jobs may be submitted, the user's others counted; None = any number."""
        ours = self.charge_of(cluster)
        counted = [
            limit.most - sum(job.num_tasks for job in queue.jobs if limit.counts(_charge(job)))
            for limit in self._submit_limits()
            if limit.counts(ours)
        ]
        return max(0, min(counted)) if counted else None

    def _submit_limits(self) -> list[SubmitLimit]:
        of_qos = [limit for limit in self.accounts.limits if limit.charge.qos]
        return [
            *self.accounts.limits,
            *(
                replace(limit, charge=replace(limit.charge, qos="", partition=partition.name))
                for partition in self.partitions
                for limit in of_qos
                if limit.charge.qos == partition.qos
            ),
        ]


def kept_limits(path: Path, now: float) -> Limits | None:
    """Return the limits that were kept, or None where they are missing, old or of another version."""
    try:
        known = durable.read(path, Limits)
    except DamagedFile:
        return None
    return known if known and 0 <= now - known.asked_at < KEPT_S else None


def ask_limits(settings: Mapping[str, str], now: float, timeout_s: float) -> Limits:
    """Return what the cluster with these settings allows.

    Raises:
        QueueUnknown: the controller did not answer.
    """
    shown = client(["scontrol", "--all", "--oneliner", "show", "partition"], timeout_s)
    is_enforced = "limits" in settings.get("AccountingStorageEnforce", "").split(",")
    accounts = ask_accounts(settings["ClusterName"], timeout_s) if is_enforced else Accounts()
    return Limits(asked_at=now, partitions=parse_partitions(shown), accounts=accounts)


def refuse_excess(limits: Limits, cluster: ClusterConfig, num_nodes: int) -> None:
    """Check jobs against their partition.

    Raises:
        UsageError: there is no such partition, or they are longer or wider than it allows.
    """
    partition = limits.partition_of(cluster)
    if partition is None:
        _refuse_unknown(limits, cluster)
        return
    if limits.charge_of(cluster).qos in limits.accounts.overriding:
        return
    most_min, most_nodes = partition.max_time_min, partition.max_nodes
    if most_min is not None and cluster.time_min > most_min:
        raise UsageError(
            f"cluster.time_min={cluster.time_min}: partition {partition.name} allows {most_min} minutes"
        )
    if most_nodes is not None and num_nodes > most_nodes:
        raise UsageError(
            f"a run asks for {num_nodes} nodes, but partition {partition.name} allows {most_nodes}: "
            f"lower resources.num_ranks, or raise resources.ranks_per_node"
        )


def _refuse_unknown(limits: Limits, cluster: ClusterConfig) -> None:
    names = [partition.name for partition in limits.partitions]
    if cluster.partition and names and "," not in cluster.partition:
        raise UsageError(
            f"cluster.partition={cluster.partition}: the cluster has none of that name. "
            f"{choices(cluster.partition, names)}"
        )


def parse_settings(shown: str) -> dict[str, str]:
    """Return what `scontrol show config` prints, by name."""
    return {name: value.strip() for name, value in SETTING.findall(shown)}


def max_array_size(settings: Mapping[str, str], configured: int) -> int:
    """Return how many tasks an array may have: as configured, unless the cluster allows fewer."""
    known = settings.get("MaxArraySize", "")
    tasks = MOST_TASKS.search(settings.get("SchedulerParameters", ""))
    found = [known] if known.isdigit() and known != "0" else []
    return min([configured, *map(int, found), *([int(tasks[1])] if tasks else [])])


def parse_partitions(shown: str) -> tuple[Partition, ...]:
    """Return the partitions that `scontrol --oneliner show partition` prints."""
    rows = [dict(FIELD.findall(line)) for line in shown.splitlines()]
    return tuple(
        Partition(
            name=row["PartitionName"],
            is_default=row.get("Default") == "YES",
            max_time_min=minutes(row.get("MaxTime", "")),
            max_nodes=int(row["MaxNodes"]) if row.get("MaxNodes", "").isdigit() else None,
            qos="" if row.get("QoS", "N/A") == "N/A" else row["QoS"],
        )
        for row in rows
        if "PartitionName" in row
    )


def minutes(text: str) -> int | None:
    """Return the whole minutes of Slurm's `[days-]hours:minutes:seconds`; None = no limit."""
    found = TIME.fullmatch(text)
    if found is None:
        return None
    days, hours, mins, _ = (int(number or 0) for number in found.groups())
    return days * 1440 + hours * 60 + mins


def _charge(job: Job) -> Charge:
    return Charge(account=job.account, qos=job.qos, partition=job.partition)
