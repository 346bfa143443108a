"""What a Slurm cluster says of itself: its settings, partitions, nodes, and this user's accounts.

Four short client calls. What it says is parsed here and judged in `launcher.doctor.preset`.
"""

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from launcher.machines.slurm_client import client
from sweeps.errors import QueueUnknown, UsageError

UNLIMITED = {"", "UNLIMITED", "INFINITE", "NONE", "N/A"}
ANY = {"ALL", "(null)", "N/A", ""}
UNUSABLE = ("down", "drain", "fail", "maint", "inval", "unk", "power")
"""Beginnings of sinfo's states of nodes that start no job now."""

DURATION = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")
GPUS = re.compile(r"\bgpu(?::[^,:(]+)?:(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """A partition. None = no limit; `accounts` and `qos` None = all may use it."""

    name: str
    is_default: bool
    state: str
    max_time_min: int | None
    max_nodes: int | None
    num_nodes: int
    nodes: str
    accounts: frozenset[str] | None
    qos: frozenset[str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeGroup:
    """Nodes of a partition that are alike."""

    count: int
    cpus: int
    threads_per_core: int
    gpus: int
    is_usable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Association:
    """An account of this user, with the QOS that may be named with it. None = no limit."""

    account: str
    qos: frozenset[str]
    max_submit: int | None
    max_wall_min: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Qos:
    """A quality of service. None = no limit."""

    name: str
    max_submit: int | None
    max_wall_min: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """What the accounting knows of this user."""

    default: str
    associations: tuple[Association, ...]
    qos: Mapping[str, Qos]


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """A cluster. `accounts` None: it has no accounting, or cannot be asked about it."""

    settings: Mapping[str, str]
    partitions: Mapping[str, Partition]
    accounts: Accounts | None

    @property
    def is_enforcing(self) -> bool:
        """Whether a job needs an account that the site knows."""
        return "associations" in self.settings.get("AccountingStorageEnforce", "")

    @property
    def default_partition(self) -> Partition | None:
        """The partition of jobs that name none."""
        return next((p for p in self.partitions.values() if p.is_default), None)


def ask_site(timeout_s: float) -> Site:
    """Return what the cluster says of itself.

    Raises:
        QueueUnknown: it does not answer.
        UsageError: Slurm's client commands are missing.
    """
    settings = client(["scontrol", "show", "config"], timeout_s)
    partitions = client(["scontrol", "--oneliner", "--all", "show", "partition"], timeout_s)
    return Site(
        settings=parse_settings(settings),
        partitions={partition.name: partition for partition in parse_partitions(partitions)},
        accounts=_ask_accounts(timeout_s),
    )


def ask_nodes(partition: str, timeout_s: float) -> list[NodeGroup]:
    """Return the nodes of a partition.

    Raises:
        QueueUnknown: the cluster does not answer.
    """
    form = "--format=%D|%c|%Z|%G|%t"
    shown = client(["sinfo", "--noheader", "--exact", f"--partition={partition}", form], timeout_s)
    return list(parse_nodes(shown))


def parse_settings(shown: str) -> dict[str, str]:
    """Return the settings in the output of `scontrol show config`."""
    pairs = (line.partition("=") for line in shown.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def parse_partitions(shown: str) -> Iterator[Partition]:
    """Yield the partitions in the output of `scontrol --oneliner show partition`."""
    for line in shown.splitlines():
        fields = {name: value for name, _, value in (word.partition("=") for word in line.split())}
        if "PartitionName" not in fields:
            continue
        yield Partition(
            name=fields["PartitionName"],
            is_default=fields.get("Default") == "YES",
            state=fields.get("State", "UP"),
            max_time_min=minutes(fields.get("MaxTime", "")),
            max_nodes=_limit(fields.get("MaxNodes", "")),
            num_nodes=int(fields.get("TotalNodes", 0)),
            nodes=fields.get("Nodes", ""),
            accounts=_names(fields.get("AllowAccounts", "")),
            qos=_names(fields.get("AllowQos", "")),
        )


def parse_nodes(shown: str) -> Iterator[NodeGroup]:
    """Yield the groups of nodes in sinfo's output, in the columns of `ask_nodes`."""
    for line in shown.splitlines():
        count, cpus, threads, gres, state = line.split("|")
        yield NodeGroup(
            count=int(count),
            cpus=int(cpus),
            threads_per_core=int(threads),
            gpus=sum(map(int, GPUS.findall(gres))),
            is_usable=not state.startswith(UNUSABLE),
        )


def minutes(text: str) -> int | None:
    """Return the whole minutes of Slurm's `[days-]hours:minutes:seconds`; None = no limit.

    Without days, two fields are minutes and seconds, and one is minutes (sbatch(1), --time).
    """
    if text.upper() in UNLIMITED:
        return None
    found = DURATION.fullmatch(text)
    if not found:
        raise QueueUnknown(f"Slurm gives a time as {text!r}, which is unknown")
    days, *rest = found.groups()
    fields = [int(field) for field in rest if field is not None]
    if days is None and len(fields) < 3:
        return fields[0]
    hours, mins = [*fields, 0][:2]
    return (int(days or 0) * 24 + hours) * 60 + mins


def _ask_accounts(timeout_s: float) -> Accounts | None:
    user = pwd.getpwuid(os.getuid()).pw_name
    ask = ["sacctmgr", "--noheader", "--parsable2", "show"]
    try:
        default = client([*ask, "user", user, "format=defaultaccount"], timeout_s)
        columns = "format=account,qos,maxsubmit,maxwall"
        associations = client([*ask, "assoc", f"user={user}", columns], timeout_s)
        qos = client([*ask, "qos", "format=name,maxsubmitpu,maxwall"], timeout_s)
    except (QueueUnknown, UsageError):
        return None
    return Accounts(
        default=default.strip(),
        associations=tuple(_associations(associations)),
        qos={name: _qos(name, rest) for name, *rest in _rows(qos)},
    )


def _associations(shown: str) -> Iterator[Association]:
    for account, qos, submit, wall in _rows(shown):
        yield Association(
            account=account,
            qos=frozenset(name for name in qos.split(",") if name),
            max_submit=_limit(submit),
            max_wall_min=minutes(wall),
        )


def _qos(name: str, limits: list[str]) -> Qos:
    submit, wall = limits
    return Qos(name=name, max_submit=_limit(submit), max_wall_min=minutes(wall))


def _rows(shown: str) -> list[list[str]]:
    return [line.split("|") for line in shown.splitlines() if line]


def _limit(text: str) -> int | None:
    return None if text.upper() in UNLIMITED else int(text)


def _names(text: str) -> frozenset[str] | None:
    return None if text in ANY else frozenset(text.split(","))
