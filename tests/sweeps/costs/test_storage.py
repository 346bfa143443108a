"""What checkpoints take up, from counted or published parameters."""

import importlib.util
import json
from pathlib import Path

import pytest

from conf.schema import CheckpointConfig, ModelConfig, ScheduleConfig, ScheduleName
from sweeps.costs.parameters import clip_parameters, num_parameters, published_mparams
from sweeps.costs.storage import Storage, storage_of
from sweeps.runs.expansion import Segment
from tests.configs import expansion_of, run_config

B32 = 151_280_000
"""Parameters of ViT-B-32, as published."""


def open_clip_config(name: str) -> Path:
    found = importlib.util.find_spec("open_clip")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "model_configs" / f"{name}.json"


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-H-14", "ViT-g-14"])
def test_counted_parameters_are_the_published_ones(name: str) -> None:
    counted = clip_parameters(json.loads(open_clip_config(name).read_text()))
    assert counted is not None
    assert counted / 1e6 == pytest.approx(published_mparams()[name], abs=0.005)


def test_a_tower_that_is_no_transformer_is_not_counted() -> None:
    assert clip_parameters(json.loads(open_clip_config("RN50").read_text())) is None
    assert num_parameters(ModelConfig(name="nobody's")) is None


def segments(**given: object) -> list[Segment]:
    milestones = CheckpointConfig(milestones=(128, 256))
    model = ModelConfig(name="ViT-B-32")
    config = run_config(**{"model": model, "checkpoints": milestones, **given})
    return [*expansion_of(config).segments.values()]


def test_a_run_keeps_its_milestones_and_no_state() -> None:
    assert storage_of(segments()) == Storage(
        bytes_end=3 * 4 * B32,
        bytes_peak=3 * 4 * B32 + 3 * 12 * B32,
        files_end=3 + 7,
        files_peak=3 + 25,
    )


def test_a_trunk_keeps_the_state_from_which_others_start() -> None:
    schedule = ScheduleConfig(name=ScheduleName.constant_cooldown, warmup="1 steps")
    storage = storage_of(segments(schedule=schedule))
    assert storage.bytes_end == 3 * 4 * B32 + 12 * B32
    assert storage.files_peak == 3 + 2 * 25


def test_files_are_counted_though_a_model_is_unknown() -> None:
    storage = storage_of(segments(model=ModelConfig(name="M")))
    assert (storage.bytes_end, storage.bytes_peak, storage.files_end) == (None, None, 10)
