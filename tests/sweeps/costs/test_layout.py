"""How work lies on nodes, and what a job asks for."""

import pytest

from conf.schema import ClusterConfig, ClusterKind, ResourceConfig
from sweeps.costs.layout import cores_per_rank, gpus_per_node, items_per_job, num_nodes, ranks_per_node

WHOLE = ClusterConfig(
    name="whole",
    kind=ClusterKind.slurm,
    gpus_per_node=4,
    cores_per_node=48,
    charged_cores_per_node=48,
)
CORES = ClusterConfig(
    name="cores", kind=ClusterKind.slurm, cores_per_node=128, charged_cores_per_node=128
)
SHARED = ClusterConfig(name="shared", kind=ClusterKind.slurm, gpus_per_node=4, cores_per_node=32)
ANY = ClusterConfig(name="any", kind=ClusterKind.slurm)


@pytest.mark.parametrize(
    ("resources", "cluster", "nodes", "tasks"),
    [
        (ResourceConfig(num_ranks=6), WHOLE, 2, 4),
        (ResourceConfig(num_ranks=4, ranks_per_node=2), WHOLE, 2, 2),
        (ResourceConfig(num_ranks=3), SHARED, 1, 3),
        (ResourceConfig(num_ranks=4), ANY, 1, 4),
    ],
)
def test_ranks_on_nodes(
    resources: ResourceConfig, cluster: ClusterConfig, nodes: int, tasks: int
) -> None:
    assert num_nodes(resources, cluster) == nodes
    assert ranks_per_node(resources, cluster) == tasks


@pytest.mark.parametrize(
    ("resources", "cluster", "items"),
    [
        (ResourceConfig(), WHOLE, 4),
        (ResourceConfig(num_ranks=2), WHOLE, 2),
        (ResourceConfig(num_ranks=3), WHOLE, 1),
        (ResourceConfig(num_ranks=8), WHOLE, 1),
        (ResourceConfig(), CORES, 128),
        (ResourceConfig(num_ranks=2, threads_per_rank=8, num_workers=4), CORES, 5),
        (ResourceConfig(), SHARED, 1),
        (ResourceConfig(), ANY, 1),
    ],
)
def test_items_share_a_job_only_where_nodes_are_whole(
    resources: ResourceConfig, cluster: ClusterConfig, items: int
) -> None:
    assert items_per_job(resources, cluster) == items


@pytest.mark.parametrize(
    ("resources", "cluster", "gpus", "cores"),
    [
        (ResourceConfig(), WHOLE, 4, 12),
        (ResourceConfig(num_ranks=3), WHOLE, 4, 16),
        (ResourceConfig(), SHARED, 1, 8),
        (ResourceConfig(num_ranks=8), SHARED, 4, 8),
        (ResourceConfig(threads_per_rank=12), SHARED, 1, 12),
        (ResourceConfig(threads_per_rank=2, num_workers=1), ANY, 0, 3),
    ],
)
def test_a_job_asks_for_what_it_needs_or_would_pay_for(
    resources: ResourceConfig, cluster: ClusterConfig, gpus: int, cores: int
) -> None:
    assert gpus_per_node(resources, cluster) == gpus
    assert cores_per_rank(resources, cluster) == cores
