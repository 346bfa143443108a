"""Costs from measured throughput."""

import pytest

from conf.schema import ClusterConfig, ClusterKind, ModelConfig, ResourceConfig
from sweeps.compose import compose_request
from sweeps.cost import Rate, estimate, load_rates, num_nodes, ranks_per_node
from sweeps.expansion import expand
from tests.configs import expansion_of, run_config

GPU = ClusterConfig(
    name="c",
    kind=ClusterKind.slurm,
    gpu="A",
    gpus_per_node=4,
    cores_per_node=48,
    charged_cores_per_node=48,
)


def rate(**given: object) -> Rate:
    defaults = {"model": "M", "data": "D", "samples_seen": 640, "gpu": "A", "batch_per_rank": 64}
    return Rate(**{**defaults, "num_ranks": 1, "samples_per_s": 1.0, **given})  # type: ignore[arg-type]


def test_the_published_grid_costs_what_it_cost() -> None:
    request = compose_request(["sweep=full_grid"])
    expansion = expand(request.sweep, request.cells, request.configs)
    rates = load_rates()
    costs = [
        estimate(expansion.segments[run.run_id], run.config.resources, request.launch.cluster, rates)
        for run in expansion.runs
    ]
    assert sum(c.gpu_hours for c in costs if c) == pytest.approx(1_058_318, rel=1e-4)
    assert sum(c.core_hours for c in costs if c) == pytest.approx(12 * 1_058_318, rel=1e-3)


def test_the_nearest_measurement_counts_and_the_others_make_the_range() -> None:
    (segment,) = expansion_of(run_config()).segments.values()
    rates = [rate(samples_per_s=2.0), rate(num_ranks=8, samples_per_s=8.0), rate(model="N")]
    found = estimate(segment, ResourceConfig(), GPU, rates)
    assert found is not None
    assert found.gpu_hours == pytest.approx(320 / 3600)
    assert (found.low_factor, found.high_factor) == (1.0, 2.0)


def test_what_is_trained_already_costs_nothing() -> None:
    (segment,) = expansion_of(run_config()).segments.values()
    half = estimate(segment, ResourceConfig(), GPU, [rate()], done=320)
    assert half is not None
    assert half.wall_hours == pytest.approx(320 / 3600)


def test_nothing_measured_is_no_estimate_and_not_zero() -> None:
    (segment,) = expansion_of(run_config(model=ModelConfig(name="N"))).segments.values()
    assert estimate(segment, ResourceConfig(), GPU, [rate()]) is None


@pytest.mark.parametrize(
    ("resources", "cluster", "nodes", "tasks"),
    [
        (ResourceConfig(num_ranks=1), GPU, 1, 1),
        (ResourceConfig(num_ranks=6), GPU, 2, 4),
        (ResourceConfig(num_ranks=4, ranks_per_node=2), GPU, 2, 2),
        (ResourceConfig(num_ranks=4), ClusterConfig(name="c", kind=ClusterKind.slurm), 1, 4),
    ],
)
def test_ranks_are_laid_out_on_nodes(
    resources: ResourceConfig, cluster: ClusterConfig, nodes: int, tasks: int
) -> None:
    assert num_nodes(resources, cluster) == nodes
    assert ranks_per_node(resources, cluster) == tasks
