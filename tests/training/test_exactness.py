"""k steps, a stop or a kill, and the rest are all steps at once, bit for bit."""

import signal
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.schema import ProcedureConfig, ResourceConfig, Sharding
from sweeps.runs.expansion import Segment
from tests.commands import gated_by, wait_for
from tests.training.exact import finished, killed_at_random
from tests.training.ranks import start_ranks
from tests.training.segments import expansion_of, order_for, train
from training.checkpoints.saved import saved_samples
from training.exits import RankExit
from training.telemetry.metrics import last_moment, metrics_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_ranks", "samples", "layout"),
    [
        (1, 3840, {}),
        (2, 3840, {}),
        (4, 1280, {}),
        (2, 1280, {"sharding": Sharding.fsdp2, "accumulation": 2}),
    ],
)
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bits(
    tmp_path: Path, data: Path, num_ranks: int, samples: int, layout: dict[str, Any]
) -> None:
    gate, num_kills = tmp_path / "gate", 2 if samples == 1280 else 3
    free = f"+procedure.options.free_steps={samples // 32 // (num_kills + 1)}"  # so that none ends
    words = (f"samples_seen={samples}", *gated_by(gate), free)
    (segment,) = expansion_of("sweep=tiny", *words).segments.values()
    resources = ResourceConfig(num_ranks=num_ranks, **layout)
    straight = order_for(segment, tmp_path / "straight", data, resources=resources)
    broken = order_for(segment, tmp_path / "broken", data, resources=resources, save_every_s=0.05)
    reached = [killed_at_random(broken, seed) for seed in range(num_kills)]
    assert all(0 < samples < segment.end for samples in reached)
    gate.touch()
    assert finished(broken) == finished(straight)


FOR_EVER = 1_000_000
SHORT = ("sweep=trunk", "samples_seen=640", "schedule=constant")
"""20 steps."""


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory, data: Path) -> tuple[Segment, str]:
    """A short segment, and the digest in which it ends on one rank that nothing disturbs."""
    (segment,) = expansion_of(*SHORT).segments.values()
    marker = train(order_for(segment, tmp_path_factory.mktemp("straight"), data))
    return segment, marker.weights_sha256


def with_fate(segment: Segment, fate: Path) -> Segment:
    procedure = ProcedureConfig(_target_="tests.training.fated.Fated", options={"fate": str(fate)})
    return replace(segment, train=replace(segment.train, procedure=procedure))


def test_deterministic_algorithms_are_those_of_a_cpu(
    short: tuple[Segment, str], tmp_path: Path, data: Path
) -> None:
    segment, straight = short
    order = order_for(segment, tmp_path, data, resources=ResourceConfig(deterministic=True))
    assert finished(order) == straight


@pytest.mark.slow
@settings(max_examples=6)
@given(
    lives=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    num_workers=st.sampled_from([0, 1, 2, 4]),
    save_every_s=st.sampled_from([0.0, 0.2]),
)
def test_wherever_a_run_is_killed_it_ends_in_the_same_bits(
    short: tuple[Segment, str], data: Path, lives: list[int], num_workers: int, save_every_s: float
) -> None:
    segment, straight = short
    resources = ResourceConfig(num_workers=num_workers)
    with tempfile.TemporaryDirectory() as name:
        fate = Path(name) / "fate"
        order = order_for(
            with_fate(segment, fate), Path(name), data, resources=resources, save_every_s=save_every_s
        )
        for num_steps in lives:
            fate.write_text(f"{num_steps}")
            (rank,) = start_ranks(order)
            assert rank.wait() in (-signal.SIGKILL, RankExit.finished)
        fate.write_text(f"{FOR_EVER}")
        assert finished(order) == straight


@pytest.mark.slow
def test_ranks_that_are_asked_to_stop_save_and_go_on_exactly(tmp_path: Path, data: Path) -> None:
    words = ("sweep=tiny", "samples_seen=3840", *gated_by(tmp_path / "gate"))
    (segment,) = expansion_of(*words).segments.values()
    resources = ResourceConfig(num_ranks=2)
    stopped = order_for(segment, tmp_path / "stopped", data, resources=resources)
    ranks = start_ranks(stopped)
    wait_for(lambda: last_moment(metrics_path(stopped.folder, 1)), "the first step")
    stopped.stop_file.touch()
    (tmp_path / "gate").touch()
    assert [rank.wait() for rank in ranks] == [RankExit.stopped] * 2
    (saved,) = saved_samples(stopped.folder, "state")
    assert 0 < saved < segment.end
    stopped.stop_file.unlink()
    straight = order_for(segment, tmp_path / "straight", data, resources=resources)
    assert finished(stopped) == finished(straight)


def test_the_number_of_loading_processes_changes_no_bit(tmp_path: Path, data: Path) -> None:
    (segment,) = expansion_of(*SHORT).segments.values()
    digests = {
        train(order_for(segment, tmp_path / f"{n}", data, resources=ResourceConfig(num_workers=n)))
        .weights_sha256
        for n in (0, 1, 2)
    }  # fmt: skip
    assert len(digests) == 1


def test_another_seed_ends_elsewhere(tmp_path: Path, data: Path) -> None:
    digests = {
        train(order_for(segment, tmp_path, data)).weights_sha256
        for seed in (0, 1)
        for segment in expansion_of(*SHORT, f"seed={seed}").segments.values()
    }
    assert len(digests) == 2
