"""A preset against what the Slurm cluster says of itself. Pure: `launcher.doctor.site` asks."""

from collections.abc import Iterator, Sequence

from conf.schema import ClusterConfig, ResourceConfig
from launcher.doctor.findings import Finding, ok, problem, warning
from launcher.doctor.site import NodeGroup, Site
from launcher.machines.limits import Partition, max_array_size
from launcher.machines.queue import Queue
from sweeps.costs.layout import num_nodes, ranks_per_node
from sweeps.errors import choices
from sweeps.text import plural

SHORT_SIGNAL_S = 60
"""Slurm looks every half minute for jobs to signal, and a large state takes a while to write."""

UP = "UP"
NOTHING_QUEUED = Queue(asked_at=0.0, jobs=())


def check_partition(cluster: ClusterConfig, site: Site) -> Iterator[Finding]:
    """Look whether the partition is there, starts jobs, and admits the account and the QOS."""
    partition = site.limits.partition_of(cluster)
    if partition is None:
        named = cluster.partition
        what = f"there is no partition {named!r}" if named else "there is no default partition"
        known = choices(named or "", site.openings)
        yield problem("partition", what, f"set cluster.partition. {known}")
        return
    name, opening = partition.name, site.openings[partition.name]
    if opening.state != UP:
        yield problem("partition", f"{name} is {opening.state}", "wait, or set cluster.partition")
    else:
        default = "" if cluster.partition else ", the default"
        yield ok("partition", f"{name}{default}: {plural(opening.num_nodes, 'node')}, up")
    for option, value, allowed in (
        ("account", cluster.account, opening.accounts),
        ("qos", cluster.qos, opening.qos),
    ):
        if value is not None and allowed is not None and value not in allowed:
            what = f"{name} does not admit {option} {value}"
            yield problem("partition", what, f"set cluster.{option}. {choices(value, allowed)}")


def check_account(cluster: ClusterConfig, site: Site) -> Iterator[Finding]:
    """Look whether this user may charge the account, and name the QOS."""
    if not site.accounts:
        if site.is_enforcing:
            yield warning("account", "cannot be looked up by sacctmgr", "make sure by submit=true")
        return
    account = cluster.account or site.default_account
    if account not in site.accounts:
        what = f"you have no account {account!r}" if account else "no account is named"
        yield problem("account", what, f"set cluster.account. {choices(account, site.accounts)}")
    else:
        default = "" if cluster.account else ", your default"
        others = f" (of {', '.join(site.accounts)})" if len(site.accounts) > 1 else ""
        yield ok("account", f"{account}{default}{others}")
    if cluster.qos is not None and cluster.qos not in site.qos:
        what = f"you have no QOS {cluster.qos!r}"
        yield problem("qos", what, f"set cluster.qos. {choices(cluster.qos, site.qos)}")


def check_time(cluster: ClusterConfig, site: Site, partition: Partition) -> Iterator[Finding]:
    """Look whether a job may take as long as it asks for, and is told to save in good time."""
    charge = site.limits.charge_of(cluster)
    sources = {f"account {charge.account}", f"QOS {charge.qos}", f"QOS {partition.qos}"}
    bounds = [(limit, source) for source, limit in site.walls.items() if source in sources]
    if partition.max_time_min is not None and charge.qos not in site.limits.accounts.overriding:
        bounds.append((partition.max_time_min, f"partition {partition.name}"))
    limit, source = min(bounds, default=(None, ""))
    if limit is not None and cluster.time_min > limit:
        what = f"cluster.time_min={cluster.time_min} is above the {limit} min of {source}"
        yield problem("time limit", what, f"set cluster.time_min={limit}")
    else:
        most = f", of at most {limit} in {source}" if limit else ", and there is no limit"
        yield ok("time limit", f"{cluster.time_min} min a job{most}")
    yield _signal_finding(cluster)


def check_nodes(cluster: ClusterConfig, groups: Sequence[NodeGroup]) -> Iterator[Finding]:
    """Look whether the partition's nodes are as the preset describes them, and some can be had."""
    usable = sum(group.count for group in groups if group.is_usable)
    if not usable:
        yield warning("nodes", "none starts jobs now", "wait, or set cluster.partition")
    else:
        yield ok("nodes", f"{usable} of {sum(group.count for group in groups)} can start jobs")
    if groups:
        yield _cores_finding(cluster, groups)
        yield _gpus_finding(cluster, groups)


def check_layout(
    cluster: ClusterConfig, most: int, groups: Sequence[NodeGroup], layouts: Sequence[ResourceConfig]
) -> Iterator[Finding]:
    """Look whether the largest of the runs fits the `most` nodes of a job, and each fits its nodes."""
    if not layouts:
        return
    largest = max(layouts, key=lambda layout: num_nodes(layout, cluster))
    needed = num_nodes(largest, cluster)
    what = f"a run of {plural(largest.num_ranks, 'rank')} takes {plural(needed, 'node')}"
    if needed > most:
        change = "set resources.num_ranks lower, or cluster.partition"
        yield problem("layout", f"{what}, and a job gets at most {most}", change)
    else:
        yield ok("layout", f"{what} of {most}")
    yield from _crowded(cluster, max((group.cpus for group in groups), default=0), layouts)


def check_limits(cluster: ClusterConfig, site: Site) -> Iterator[Finding]:
    """Tell how many jobs may be in the queue; what is more, waits for a later pass."""
    size = max_array_size(site.settings, cluster.max_array_size)
    most = site.limits.room(cluster, NOTHING_QUEUED)
    told = "any number of jobs" if most is None else f"at most {plural(most, 'job')}"
    yield ok("limits", f"{told} in the queue, {size} in an array")


def nodes_of_a_job(site: Site, partition: Partition) -> int:
    """Return how many nodes one job may have."""
    num_nodes = site.openings[partition.name].num_nodes
    return min(num_nodes, partition.max_nodes or num_nodes)


def _signal_finding(cluster: ClusterConfig) -> Finding:
    limit_s, signal_s = cluster.time_min * 60, cluster.signal_s
    if signal_s >= limit_s:
        return problem(
            "signal",
            f"cluster.signal_s={signal_s} is not below the time limit of {limit_s} s",
            f"set it to {limit_s // 10} or so",
        )
    if signal_s < SHORT_SIGNAL_S or signal_s > limit_s / 2:
        what = f"jobs of {limit_s} s are asked to save {signal_s} s before their end"
        change = f"set cluster.signal_s to what saving takes and a minute, at least {SHORT_SIGNAL_S}"
        return warning("signal", what, change)
    return ok("signal", f"saves are asked for {signal_s} s before the end")


def _cores_finding(cluster: ClusterConfig, groups: Sequence[NodeGroup]) -> Finding:
    fewest, most = min(g.cpus for g in groups), max(g.cpus for g in groups)
    threads = max(g.threads_per_core for g in groups)
    shown = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    what = f"nodes have {shown} CPUs, {plural(threads, 'thread')} a core"
    wanted = cluster.cores_per_node
    if wanted is not None and wanted > most:
        change = f"set it to {most}"
        return problem("cores", f"cluster.cores_per_node={wanted}, but {what}", change)
    if wanted is not None and wanted > fewest:
        change = f"set it to {fewest}, or name the larger nodes by cluster.sbatch.constraint"
        return warning("cores", f"cluster.cores_per_node={wanted}, but {what}", change)
    return ok("cores", f"{what}; cluster.cores_per_node={'null' if wanted is None else wanted}")


def _gpus_finding(cluster: ClusterConfig, groups: Sequence[NodeGroup]) -> Finding:
    most, wanted = max(g.gpus for g in groups), cluster.gpus_per_node
    if wanted > most:
        what = f"cluster.gpus_per_node={wanted}, but nodes have {most}"
        return problem("gpus", what, f"set it to {most}, or set cluster.partition")
    if wanted < most:
        what = f"nodes have {most}, but cluster.gpus_per_node={wanted}"
        return warning("gpus", what, f"set it to {most}: what is not asked for stays idle")
    return ok("gpus", f"{plural(most, 'GPU')} a node")


def _crowded(cluster: ClusterConfig, cpus: int, layouts: Sequence[ResourceConfig]) -> Iterator[Finding]:
    for layout in layouts:
        each = layout.threads_per_rank + layout.num_workers
        needed = ranks_per_node(layout, cluster) * each
        if cpus and needed > cpus:
            yield problem(
                "layout",
                f"{plural(ranks_per_node(layout, cluster), 'rank')} of {each} cores need {needed} on a "
                f"node, which has {cpus}",
                "set resources.num_workers or resources.ranks_per_node lower",
            )
