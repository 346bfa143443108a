"""What Slurm's accounting tells: how many jobs a user may have, and how jobs ended long ago.

A cluster may have none, or it may be down. Then nothing is known, which is never an error.
"""

import logging
import os
import pwd
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from launcher.machines.queue import Ended
from launcher.machines.slurm_client import ENDED_STATES, client, ended, epoch_times, parse_indices
from sweeps.errors import QueueUnknown, UsageError

log = logging.getLogger(__name__)

ENDS = ("JobID", "State", "Reason", "End", "NodeList", "JobName")
"""Columns asked of sacct; the name comes last, as for squeue."""

ORDINARY_QOS = "normal"
"""The QOS of a job where neither it nor its association names one."""

OVERRIDING = {"PartitionMaxNodes", "PartitionTimeLimit"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """What a job is counted against. An empty field is unknown, or, in a limit, any."""

    account: str = ""
    qos: str = ""
    partition: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubmitLimit:
    """At most so many jobs, each array task being one, may be in the queue together.

    `below`: the accounts of the user's that it covers, where it is one of an account above them. Jobs
    of other users may count too; those are not known, so sbatch may take fewer than this tells.
    """

    most: int
    charge: Charge
    below: tuple[str, ...] = ()

    def counts(self, charge: Charge) -> bool:
        """Return whether a job with this charge is one of them."""
        limit = self.charge
        return (
            (charge.account in self.below if self.below else limit.account in ("", charge.account))
            and limit.qos in ("", charge.qos)
            and (not limit.partition or limit.partition in charge.partition.split(","))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """Limits on submitting, and what jobs are charged to that name no QOS, the default account first.

    `overriding`: QOS whose jobs may exceed what their partition allows.
    """

    limits: tuple[SubmitLimit, ...] = ()
    charges: tuple[Charge, ...] = ()
    overriding: tuple[str, ...] = ()

    def charge(self, account: str | None, qos: str | None, partition: str) -> Charge:
        """Return what a job is charged to that asks for these."""
        account = account or next((charge.account for charge in self.charges), "")
        usual = next((charge.qos for charge in self.charges if charge.account == account), "")
        return Charge(account=account, qos=qos or usual, partition=partition)


def ask_accounts(cluster: str, timeout_s: float) -> Accounts:
    """Return what accounting knows of this user on a cluster; nothing where there is none."""
    user = pwd.getpwuid(os.getuid()).pw_name
    columns = "format=Account,Partition,MaxSubmitJobs,GrpSubmitJobs,DefaultQOS"
    try:
        associations = _sacctmgr(
            "assoc", f"user={user}", f"cluster={cluster}", columns, timeout_s=timeout_s
        )
        # "user=" selects the accounts themselves.
        columns = "format=Account,ParentName,GrpSubmitJobs"
        tree = _sacctmgr("assoc", "user=", f"cluster={cluster}", columns, timeout_s=timeout_s)
        default = _sacctmgr("user", user, "format=DefaultAccount", timeout_s=timeout_s)
        columns = "format=Name,MaxSubmitJobsPerUser,MaxSubmitJobsPerAccount,GrpSubmitJobs,Flags"
        qos = _sacctmgr("qos", columns, timeout_s=timeout_s)
    except (QueueUnknown, UsageError) as error:
        log.debug("limits of accounts are unknown: %s", error)
        return Accounts()
    return parse_accounts(associations, tree, default, qos)


def parse_accounts(
    associations: Iterable[Sequence[str]],
    tree: Iterable[Sequence[str]],
    default: Iterable[Sequence[str]],
    qos: Iterable[Sequence[str]],
) -> Accounts:
    """Return what tables of sacctmgr say.

    Args:
        associations: of the user.
        tree: the accounts, each with the one above it.
        default: the user's account where a job names none.
        qos: all of them.
    """
    limits, charges, overriding = [], [], []
    for account, partition, most, most_together, default_qos in associations:
        where = Charge(account=account, partition=partition)
        limits += _limits(where, most, most_together)
        charges.append(Charge(account=account, qos=default_qos or ORDINARY_QOS, partition=partition))
    accounts = sorted({charge.account for charge in charges})
    limits += _limits_above(accounts, tree)
    for name, most, most_by_account, most_together, flags in qos:
        limits += _limits(Charge(qos=name), most, most_together)
        for account in accounts:
            limits += _limits(Charge(account=account, qos=name), most_by_account)
        overriding += [name] if OVERRIDING & set(flags.split(",")) else []
    first = {name for (name,) in default}
    charges.sort(key=lambda charge: charge.account not in first)
    return Accounts(limits=tuple(limits), charges=tuple(charges), overriding=tuple(overriding))


def _limits_above(accounts: Iterable[str], tree: Iterable[Sequence[str]]) -> Iterator[SubmitLimit]:
    """Yield the limits of these accounts and of all above them."""
    rows = {account: (parent, most) for account, parent, most in tree}
    below: dict[str, list[str]] = {}
    for account in accounts:
        above: str | None = account
        while above in rows:
            below.setdefault(above, []).append(account)
            above = rows[above][0]
    for above, covered in below.items():
        for limit in _limits(Charge(account=above), rows[above][1]):
            yield replace(limit, below=tuple(covered))


def ask_ends(job_ids: Iterable[str], timeout_s: float) -> list[Ended]:
    """Return how jobs ended, as far as accounting knows."""
    command = ["sacct", "-X", "--noheader", "--parsable2", "--jobs", ",".join(job_ids)]
    try:
        shown = client([*command, "--format", ",".join(ENDS)], timeout_s, epoch_times())
    except (QueueUnknown, UsageError) as error:
        log.debug("how jobs ended is unknown: %s", error)
        return []
    return list(parse_ends(shown))


def parse_ends(shown: str) -> Iterator[Ended]:
    """Yield how jobs ended in sacct's output; of tasks that waited, `12_[0,3-5]` is one line."""
    for line in shown.splitlines():
        fields = line.split("|", len(ENDS) - 1)
        if len(fields) < len(ENDS) or not fields[0][:1].isdigit():
            continue
        job_id, states, reason, at, nodes, name = fields
        state = states.partition(" ")[0]  # CANCELLED by 1000
        job_id, is_array, tasks = job_id.partition("_")
        if state in ENDED_STATES:
            indices = frozenset(parse_indices(tasks.strip("[]"))) if is_array else None
            yield ended(job_id, name, indices, end=(state, reason, at, nodes))


def _limits(charge: Charge, *numbers: str) -> list[SubmitLimit]:
    return [SubmitLimit(most=int(number), charge=charge) for number in numbers if number.isdigit()]


def _sacctmgr(*words: str, timeout_s: float) -> list[list[str]]:
    shown = client(["sacctmgr", "--noheader", "--parsable2", "show", *words], timeout_s)
    return [line.split("|") for line in shown.splitlines()]
