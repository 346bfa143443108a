"""What a Slurm cluster says of itself besides limits: open partitions, nodes, names for this user.

Judged in `launcher.doctor.preset`; limits are read by `launcher.machines.limits`.
"""

import os
import pwd
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from launcher.machines.limits import FIELD, Limits, ask_limits, minutes, parse_settings
from launcher.machines.slurm_client import client, known_names
from sweeps.errors import QueueUnknown, UsageError

ANY = {"ALL", "(null)", "N/A", ""}
UNUSABLE = ("down", "drain", "fail", "maint", "inval", "unk", "power")
"""Beginnings of sinfo's states of nodes that start no job now."""

GPUS = re.compile(r"\bgpu(?::[^,:(]+)?:(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """How far a partition is open. `nodes` as Slurm lists them; `accounts`, `qos` None: to all."""

    state: str
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
class Site:
    """A cluster. `openings`: of partitions, by name. `accounts`, `qos`: this user's; empty: unknown.

    `walls`: the longest time of a job, in minutes, by whose limit it is (`QOS few`, `account lab`).
    """

    settings: Mapping[str, str]
    limits: Limits
    openings: Mapping[str, Opening]
    accounts: tuple[str, ...] = ()
    default_account: str = ""
    qos: tuple[str, ...] = ()
    walls: Mapping[str, int]

    @property
    def is_enforcing(self) -> bool:
        """Whether a job needs an account that the site knows."""
        return "associations" in self.settings.get("AccountingStorageEnforce", "")


def ask_site(timeout_s: float) -> Site:
    """Return what the cluster says of itself.

    Raises:
        QueueUnknown: it does not answer.
        UsageError: Slurm's client commands are missing.
    """
    settings = parse_settings(client(["scontrol", "show", "config"], timeout_s))
    if "ClusterName" not in settings:
        raise QueueUnknown("scontrol show config names no cluster")
    openings = client(["scontrol", "--oneliner", "show", "partition"], timeout_s)
    user = pwd.getpwuid(os.getuid()).pw_name
    return Site(
        settings=settings,
        limits=ask_limits(settings, time.time(), timeout_s),
        openings=dict(parse_openings(openings)),
        accounts=tuple(known_names("account", timeout_s)),
        default_account="".join(_sacctmgr(["user", user, "format=defaultaccount"], timeout_s)),
        qos=tuple(known_names("qos", timeout_s)),
        walls={
            **_walls("QOS", ["qos", "format=name,maxwall"], timeout_s),
            **_walls("account", ["assoc", f"user={user}", "format=account,maxwall"], timeout_s),
        },
    )


def ask_nodes(partition: str, timeout_s: float) -> list[NodeGroup]:
    """Return the nodes of a partition.

    Raises:
        QueueUnknown: the cluster does not answer.
    """
    form = "--format=%D|%c|%Z|%G|%t"
    shown = client(["sinfo", "--noheader", "--exact", f"--partition={partition}", form], timeout_s)
    return list(parse_nodes(shown))


def parse_openings(shown: str) -> Iterator[tuple[str, Opening]]:
    """Yield name and opening of what `scontrol --oneliner show partition` prints."""
    for row in (dict(FIELD.findall(line)) for line in shown.splitlines()):
        if "PartitionName" in row:
            yield (
                row["PartitionName"],
                Opening(
                    state=row.get("State", "UP"),
                    num_nodes=int(row.get("TotalNodes", 0)),
                    nodes=row.get("Nodes", ""),
                    accounts=_names(row.get("AllowAccounts", "")),
                    qos=_names(row.get("AllowQos", "")),
                ),
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


def _walls(whose: str, words: list[str], timeout_s: float) -> dict[str, int]:
    rows = (line.partition("|") for line in _sacctmgr(words, timeout_s))
    limits = ((f"{whose} {name}", minutes(wall)) for name, _, wall in rows)
    return {source: limit for source, limit in limits if limit is not None}


def _sacctmgr(words: list[str], timeout_s: float) -> list[str]:
    """Return the lines of a table; none where there is no accounting to ask."""
    try:
        shown = client(["sacctmgr", "--noheader", "--parsable2", "show", *words], timeout_s)
    except (QueueUnknown, UsageError):
        return []
    return shown.splitlines()


def _names(text: str) -> frozenset[str] | None:
    return None if text in ANY else frozenset(text.split(","))
