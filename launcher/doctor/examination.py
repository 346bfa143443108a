"""All checks of a preset, in the order in which one's failure explains the next's."""

import shutil
from collections.abc import Iterator, Sequence

from conf.schema import ClusterKind
from launcher.doctor import preset
from launcher.doctor.findings import Finding, Subject, has_problem, ok, problem, warning
from launcher.doctor.folder import check_prefix, check_root
from launcher.doctor.network import check_host, check_interfaces, check_timeout, interfaces
from launcher.doctor.site import NodeGroup, Site, ask_nodes, ask_site
from launcher.doctor.software import check_modules, check_offline, check_python
from launcher.doctor.trial import check_acceptance, check_by_job
from launcher.machines.limits import Partition
from launcher.machines.slurm_client import client, hosts
from sweeps.errors import QueueUnknown

NEEDED = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
HELPFUL = ("sacct", "sacctmgr")


def examine(subject: Subject, *, job_wait_s: float | None) -> list[Finding]:
    """Return all that was found.

    Args:
        subject: what is examined.
        job_wait_s: so long a job that looks from a compute node may take; None = submit none.
    """
    is_slurm = subject.cluster.kind is ClusterKind.slurm
    findings = list(scheduler_checks(subject)) if is_slurm else []
    findings += _machine_checks(subject)
    if is_slurm and job_wait_s is not None and not has_problem(findings):
        findings += check_by_job(subject, job_wait_s)
    elif is_slurm and job_wait_s is not None:
        findings.append(warning("job", "was not submitted", "mend the problems first"))
    return findings


def _machine_checks(subject: Subject) -> Iterator[Finding]:
    """Look at what does not need the scheduler."""
    cluster = subject.cluster
    is_local = cluster.kind is ClusterKind.local
    yield from check_interfaces(cluster.env, interfaces(), is_on_node=is_local)
    yield from check_timeout(cluster.env)
    modules = list(check_modules(cluster, subject.timeout_s))
    yield from modules
    if not has_problem(modules):
        yield from check_python(cluster, is_on_node=is_local)
    yield from check_offline(cluster.env, subject.runs)
    yield from check_prefix(subject)
    yield from check_root(subject)


def scheduler_checks(subject: Subject) -> Iterator[Finding]:
    """Look at what the preset asks of the Slurm cluster."""
    clients = list(_check_clients(subject.timeout_s))
    yield from clients
    if has_problem(clients):
        return
    try:
        yield from _controller_checks(subject, ask_site(subject.timeout_s))
    except QueueUnknown as error:
        yield problem("controller", str(error), "try again; if it stays so, ask the site")


def _check_clients(timeout_s: float) -> Iterator[Finding]:
    """Look for Slurm's commands."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        yield problem(
            "clients", f"{', '.join(missing)} not found", "run on a login node of the cluster"
        )
        return
    try:
        yield ok("clients", client(["sbatch", "--version"], timeout_s).strip())
    except QueueUnknown as error:
        yield problem("clients", str(error), "set SLURM_CONF, or run on a login node of the cluster")
        return
    if lacking := [name for name in HELPFUL if not shutil.which(name)]:
        what = f"{', '.join(lacking)} not found: accounts and limits are not seen"
        yield warning("clients", what, "run where they are, if such a host there is")


def _controller_checks(subject: Subject, site: Site) -> Iterator[Finding]:
    cluster = subject.cluster
    partition = site.limits.partition_of(cluster)
    findings = [*preset.check_partition(cluster, site), *preset.check_account(cluster, site)]
    if partition is not None:
        groups = ask_nodes(partition.name, subject.timeout_s)
        findings += _fit(subject, site, partition, groups)
        host = hosts(site.openings[partition.name].nodes, subject.timeout_s)[0]
        findings += check_host(host, cluster.host_suffix, is_on_node=False)
    if not has_problem(findings):
        findings += check_acceptance(subject)
    yield from findings


def _fit(
    subject: Subject, site: Site, partition: Partition, groups: Sequence[NodeGroup]
) -> Iterator[Finding]:
    cluster = subject.cluster
    yield from preset.check_time(cluster, site, partition)
    yield from preset.check_limits(cluster, site)
    yield from preset.check_nodes(cluster, groups)
    layouts = [run.resources for run in subject.runs]
    most = preset.nodes_of_a_job(site, partition)
    yield from preset.check_layout(cluster, most, groups, layouts)
