"""What training costs: what is charged for a layout (`sweeps.costs.layout`), and for how long.

How fast a layout trains is looked up in `sweeps.costs.rates`. Where nothing was measured there is no
estimate; a job's time limit then bounds what it may cost.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from conf.schema import ClusterConfig, ClusterKind, ResourceConfig
from sweeps.costs.layout import gpus_per_node, items_per_job, num_nodes
from sweeps.costs.rates import Rates, Setting
from sweeps.runs.expansion import Segment, micro_batch

S_PER_HOUR = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """What is charged for: core-hours, and hours of GPUs that are held, used or not."""

    core: float = 0.0
    gpu: float = 0.0

    def __add__(self, other: "Hours") -> "Hours":
        return Hours(core=self.core + other.core, gpu=self.gpu + other.gpu)

    def __mul__(self, factor: float) -> "Hours":
        return Hours(core=self.core * factor, gpu=self.gpu * factor)


NO_HOURS = Hours()


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Cost of a piece of work. `low_factor`, `high_factor`: the range, as multiples of the cost."""

    gpu_hours: float
    core_hours: float
    wall_hours: float
    low_factor: float = 1.0
    high_factor: float = 1.0

    @property
    def hours(self) -> Hours:
        """What is charged."""
        return Hours(core=self.core_hours, gpu=self.gpu_hours)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A quantity as it is likely to be, and the range that it may lie in."""

    likely: float
    low: float
    high: float

    def __mul__(self, factor: float) -> "Span":
        return Span(likely=self.likely * factor, low=self.low * factor, high=self.high * factor)


def total(estimates: Iterable[Estimate | None], quantity: Callable[[Estimate], float]) -> Span | None:
    """Return the sum of a quantity over estimates, or None where one of them is missing."""
    likely = low = high = 0.0
    for known in estimates:
        if known is None:
            return None
        value = quantity(known)
        likely += value
        low += value * known.low_factor
        high += value * known.high_factor
    return Span(likely=likely, low=low, high=high)


def estimate(
    segment: Segment,
    resources: ResourceConfig,
    cluster: ClusterConfig,
    rates: Rates,
    *,
    done: int = 0,
) -> Estimate | None:
    """Return what training the rest of `segment` costs, or None where nothing was measured.

    Args:
        segment: what is trained.
        resources: its layout.
        cluster: where; decides the GPU and what a node-hour is charged.
        rates: measurements.
        done: samples since the run's beginning that are trained already.
    """
    speed = rates.speed(setting_of(segment, resources, cluster))
    if speed is None:
        return None
    samples = segment.end - max(done, segment.start)
    hours = samples / (speed.likely * resources.num_ranks) / S_PER_HOUR
    charged = hourly_charge(resources, cluster) * hours
    return Estimate(
        gpu_hours=charged.gpu,
        core_hours=charged.core,
        wall_hours=hours,
        low_factor=speed.likely / speed.fastest,
        high_factor=speed.likely / speed.slowest,
    )


def setting_of(segment: Segment, resources: ResourceConfig, cluster: ClusterConfig) -> Setting:
    """Return what decides how fast a segment trains."""
    return Setting(
        model=segment.train.model.label,
        data=segment.train.data.name,
        gpu=cluster.gpu or (f"GPU of {cluster.name}" if cluster.gpus_per_node else None),
        batch_per_rank=micro_batch(segment.train.global_batch_size, resources),
        num_ranks=resources.num_ranks,
        num_nodes=num_nodes(resources, cluster),
        samples_seen=segment.end,
    )


def most_hours(resources: ResourceConfig, cluster: ClusterConfig) -> Hours:
    """Return what one job is charged that lasts until its time limit."""
    return hourly_charge(resources, cluster) * (cluster.time_min / 60)


def num_jobs(wall_hours: float, cluster: ClusterConfig) -> int | None:
    """Return how many jobs in a row so many hours of training take.

    A job saves and makes room for the next one `signal_s` before its time limit. None: there is no
    limit, or it leaves no time to train.
    """
    if cluster.kind is ClusterKind.local:
        return None
    usable = cluster.time_min / 60 - cluster.signal_s / S_PER_HOUR
    return max(1, math.ceil(wall_hours / usable)) if usable > 0 else None


def hourly_charge(
    resources: ResourceConfig, cluster: ClusterConfig, *, num_sharing: int | None = None
) -> Hours:
    """Return what an hour of a work item is charged: the one rule of charging.

    Where nodes are allocated whole, it pays for all of them, or for its part of the one that it shares.

    Args:
        resources: its layout.
        cluster: where it runs.
        num_sharing: work items in its job; as many as there is room for, if it is not given.
    """
    nodes, whole = num_nodes(resources, cluster), cluster.charged_cores_per_node
    part = 1 / (num_sharing or items_per_job(resources, cluster))
    held = Hours(
        core=resources.num_cores if whole is None else nodes * whole,
        gpu=nodes * gpus_per_node(resources, cluster),
    )
    return held * part
