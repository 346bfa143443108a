"""What a segment will cost, from measured throughput (`conf/rates.yaml`).

The nearest measured row counts: the same model on the same GPU, then the likeliest data, batch per
rank, number of ranks and length. One architecture's rate varies up to 3.7 times with these, so an
estimate carries the range of its model's rows. Where nothing was measured, there is no estimate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from conf.schema import ClusterConfig, ResourceConfig
from sweeps.expansion import Segment, micro_batch
from sweeps.folders import CONF


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """One measurement: `samples_per_s` of a whole run of `num_ranks` ranks (GPUs or CPU cores)."""

    model: str
    data: str
    samples_seen: int
    gpu: str | None
    batch_per_rank: int
    num_ranks: int
    samples_per_s: float

    @property
    def per_rank(self) -> float:
        """Samples per second of one rank."""
        return self.samples_per_s / self.num_ranks


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """Cost of a piece of work. `low_factor`, `high_factor`: the range, as multiples of the cost."""

    gpu_hours: float
    core_hours: float
    wall_hours: float
    low_factor: float = 1.0
    high_factor: float = 1.0


def load_rates(path: Path = CONF / "rates.yaml") -> list[Rate]:
    """Return the measured rates."""
    return msgspec.yaml.decode(path.read_bytes(), type=list[Rate])


def estimate(
    segment: Segment,
    resources: ResourceConfig,
    cluster: ClusterConfig,
    rates: Sequence[Rate],
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
    known = [r for r in rates if r.model == segment.train.model.name and r.gpu == cluster.gpu]
    if not known:
        return None
    nearest = min(known, key=lambda rate: _distance(rate, segment, resources))
    samples = segment.end - max(done, segment.start)
    hours = samples / (nearest.per_rank * resources.num_ranks) / 3600
    per_rank = [r.per_rank for r in known]
    return Estimate(
        gpu_hours=hours * resources.num_ranks if cluster.gpu else 0.0,
        core_hours=hours * charged_cores(resources, cluster),
        wall_hours=hours,
        low_factor=nearest.per_rank / max(per_rank),
        high_factor=nearest.per_rank / min(per_rank),
    )


def num_nodes(resources: ResourceConfig, cluster: ClusterConfig) -> int:
    """Return how many nodes a layout takes on a cluster."""
    return math.ceil(resources.num_ranks / ranks_per_node(resources, cluster))


def ranks_per_node(resources: ResourceConfig, cluster: ClusterConfig) -> int:
    """Return how many ranks share a node: as configured, else one a GPU, else all of them."""
    configured = resources.ranks_per_node or cluster.ranks_per_node
    most = configured or cluster.gpus_per_node or resources.num_ranks
    return min(most, resources.num_ranks)


def charged_cores(resources: ResourceConfig, cluster: ClusterConfig) -> int:
    """Return the cores that are paid for: whole nodes where a cluster does not share them."""
    if cluster.charged_cores_per_node is not None:
        return num_nodes(resources, cluster) * cluster.charged_cores_per_node
    return resources.num_cores


def _distance(rate: Rate, segment: Segment, resources: ResourceConfig) -> float:
    """Return how unlike a measurement is: other data counts as an e-fold change of any quantity."""
    batch = micro_batch(segment.train.global_batch_size, resources)
    return (
        (rate.data != segment.train.data.name)
        + abs(math.log(rate.batch_per_rank / batch))
        + abs(math.log(rate.num_ranks / resources.num_ranks))
        + abs(math.log(rate.samples_seen / segment.end))
    )
