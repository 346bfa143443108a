"""Costs from measured throughput."""

import pytest

from conf.schema import ClusterConfig, ClusterKind, ModelConfig, ResourceConfig
from sweeps.composing.compose import compose_request
from sweeps.costs.cost import (
    Estimate,
    Hours,
    estimate,
    hourly_charge,
    most_hours,
    num_jobs,
    setting_of,
    total,
)
from sweeps.costs.rates import Rate, Rates, Setting, published_rates
from sweeps.runs.expansion import expand
from tests.configs import expansion_of, run_config

GPU = ClusterConfig(
    name="c",
    kind=ClusterKind.slurm,
    gpu="A",
    gpus_per_node=4,
    cores_per_node=48,
    charged_cores_per_node=48,
)
SHARED = ClusterConfig(name="c", kind=ClusterKind.slurm)


def estimated(*speeds: float, done: int = 0, model: str = "M") -> Estimate | None:
    """Return the estimate of 640 samples on one GPU, by speeds that were measured of M."""
    (segment,) = expansion_of(run_config(model=ModelConfig(name=model))).segments.values()
    rates = [
        Rate(
            of=Setting(model="M", data="D", gpu="A", batch_per_rank=64 * n, num_ranks=1),
            samples_per_s=speed,
        )
        for n, speed in enumerate(speeds, start=1)
    ]
    return estimate(segment, ResourceConfig(), GPU, Rates(rates), done=done)


def test_the_published_grid_costs_what_it_cost() -> None:
    request = compose_request(["sweep=full_grid"])
    expansion = expand(request.sweep, request.cells, request.configs)
    rates = Rates(published_rates())
    costs = [
        estimate(expansion.segments[run.run_id], run.config.resources, request.launch.cluster, rates)
        for run in expansion.runs
    ]
    assert sum(c.gpu_hours for c in costs if c) == pytest.approx(1_058_318, rel=1e-6)
    assert sum(c.core_hours for c in costs if c) == pytest.approx(12_699_819, rel=1e-6)


def test_an_estimate_has_the_range_of_what_was_measured() -> None:
    assert estimated(2.0, 1.0, 4.0) == Estimate(
        gpu_hours=320 / 3600,
        core_hours=12 * 320 / 3600,
        wall_hours=320 / 3600,
        low_factor=0.5,
        high_factor=2.0,
    )


def test_what_is_trained_already_costs_nothing() -> None:
    half = estimated(1.0, done=320)
    assert half is not None
    assert half.wall_hours == pytest.approx(320 / 3600)


def test_nothing_measured_is_no_estimate_and_not_zero() -> None:
    assert estimated(1.0, model="N") is None


def test_gpus_without_a_name_are_not_taken_for_cores() -> None:
    (segment,) = expansion_of(run_config()).segments.values()
    unnamed = ClusterConfig(name="mine", kind=ClusterKind.slurm, gpus_per_node=4)
    assert setting_of(segment, ResourceConfig(), unnamed).gpu == "GPU of mine"
    assert setting_of(segment, ResourceConfig(), SHARED).gpu is None


@pytest.mark.parametrize(
    ("resources", "cluster", "charge"),
    [
        (ResourceConfig(num_ranks=1), GPU, Hours(core=12, gpu=1)),
        (ResourceConfig(num_ranks=3), GPU, Hours(core=48, gpu=4)),
        (ResourceConfig(num_ranks=6), GPU, Hours(core=96, gpu=8)),
        (ResourceConfig(num_ranks=4, ranks_per_node=2), GPU, Hours(core=96, gpu=8)),
        (ResourceConfig(num_ranks=4), SHARED, Hours(core=4)),
        (ResourceConfig(num_ranks=4, num_workers=2), SHARED, Hours(core=12)),
    ],
)
def test_an_hour_is_charged_by_nodes_or_parts_of_one_or_by_cores(
    resources: ResourceConfig, cluster: ClusterConfig, charge: Hours
) -> None:
    assert hourly_charge(resources, cluster) == charge


@pytest.mark.parametrize("num_sharing", [1, 3, 4])
def test_what_shares_a_node_pays_for_all_of_it(num_sharing: int) -> None:
    one = hourly_charge(ResourceConfig(), GPU, num_sharing=num_sharing)
    assert one.core * num_sharing == pytest.approx(48)
    assert one.gpu * num_sharing == pytest.approx(4)


def test_a_job_is_charged_no_more_than_its_time_limit() -> None:
    assert most_hours(ResourceConfig(num_ranks=8), GPU) == Hours(core=96, gpu=8)


@pytest.mark.parametrize(
    ("hours", "jobs"), [(0.0, 1), (0.9, 1), (0.91, 1), (0.92, 2), (9.0, 10), (319.0, 348)]
)
def test_a_training_is_chained_over_jobs_that_save_before_their_limit(hours: float, jobs: int) -> None:
    assert GPU.time_min * 60 - GPU.signal_s == 3300
    assert num_jobs(hours, GPU) == jobs


def test_without_a_time_limit_or_time_to_train_there_is_no_chain() -> None:
    assert num_jobs(1.0, ClusterConfig(name="c", kind=ClusterKind.local)) is None
    assert num_jobs(1.0, ClusterConfig(name="c", kind=ClusterKind.slurm, time_min=5)) is None


def test_a_total_has_the_range_of_its_parts_or_is_unknown() -> None:
    parts = [estimated(2.0, 1.0, 4.0), estimated(1.0)]
    hours = [320 / 3600, 640 / 3600]
    found = total(parts, lambda known: known.wall_hours)
    assert found is not None
    assert (found.likely, found.low, found.high) == pytest.approx(
        (sum(hours), hours[0] / 2 + hours[1], hours[0] * 2 + hours[1])
    )
    assert total([*parts, None], lambda known: known.wall_hours) is None
