"""Training on GPUs: exact, in bf16, and over NCCL where there are several."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf.schema import ResourceConfig, Sharding
from tests import gpus
from tests.training.exact import finished, killed_at_random
from tests.training.ranks import start_ranks
from tests.training.segments import expansion_of, order_for
from training.exits import RankExit
from training.telemetry.metrics import last_moment, metrics_path

SHOWN = {gpus.VISIBLE: ",".join(gpus.shown())}
SEVERAL = min(len(gpus.shown()), 2)
LAYOUTS: list[dict[str, Any]] = [{}, {"accumulation": 2, "activation_checkpointing": True}]
if SEVERAL > 1:
    LAYOUTS.append({"sharding": Sharding.fsdp2})


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(
    tmp_path: Path, data: Path, layout: dict[str, Any]
) -> None:
    (segment,) = expansion_of("sweep=tiny", "samples_seen=3840").segments.values()
    resources = ResourceConfig(num_ranks=SEVERAL, deterministic=True, **layout)
    straight = order_for(segment, tmp_path / "straight", data, resources=resources)
    broken = order_for(segment, tmp_path / "broken", data, resources=resources, save_every_s=0.05)
    reached = [killed_at_random(broken, seed, **SHOWN) for seed in range(2)]
    assert any(0 < samples < segment.end for samples in reached)
    assert finished(broken, **SHOWN) == finished(straight, **SHOWN)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_bf16_learns(tmp_path: Path, data: Path, compiled: bool) -> None:
    (segment,) = expansion_of("sweep=tiny", "samples_seen=3840", "precision=bf16").segments.values()
    order = order_for(segment, tmp_path, data, resources=ResourceConfig(compile=compiled))
    ranks = start_ranks(replace(order), **SHOWN)
    assert [rank.wait() for rank in ranks] == [RankExit.finished]
    moment = last_moment(metrics_path(order.folder, order.attempt))
    assert moment is not None
    assert moment.memory_gib > 0
    assert moment.losses["contrastive_loss"] < 3.2, "chance is log 32 = 3.47"
