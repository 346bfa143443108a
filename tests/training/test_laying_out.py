"""How a model is laid out changes how it is computed, and not what."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from conf.schema import ResourceConfig, Sharding
from tests.training.ranks import on_ranks
from tests.training.steps import bench, worst_difference
from training.blocks import blocks_of
from training.distributed import World
from training.laying_out import lay_out
from training.samples import Passage
from training.sharding import whole

DROPOUT = "+model.config.vision_cfg.patch_dropout=0.5"
MODELS = {"clip": "ViT-w32", "siglip": "ViT-w32", "coca": "coca-w32", "mammut": "mammut-w32"}
NUM_BLOCKS = {"clip": 5, "siglip": 5, "coca": 8, "mammut": 8}


@pytest.mark.parametrize("procedure", MODELS)
@pytest.mark.parametrize("accumulation", [1, 2])
def test_what_is_recomputed_is_the_same(data: Path, procedure: str, accumulation: int) -> None:
    one = bench(data, f"procedure={procedure}", f"model={MODELS[procedure]}", DROPOUT)
    assert len(blocks_of(one.model)) == NUM_BLOCKS[procedure]
    passage = Passage(accumulation=accumulation)
    kept = one.gradients(one.batch(0), passage)
    lay_out(one.model, ResourceConfig(activation_checkpointing=True), World())
    assert worst_difference(one.gradients(one.batch(0), passage), kept) == 0.0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning", "ignore:The .grad:UserWarning")
def test_compiled_blocks_compute_the_same(data: Path) -> None:
    one = bench(data)
    eager = one.gradients(one.batch(0), Passage())
    lay_out(one.model, ResourceConfig(compile=True), World())
    assert worst_difference(one.gradients(one.batch(0), Passage()), eager) < 1e-5


def take_steps(
    data: Path, folder: Path, overrides: tuple[str, ...], layouts: list[ResourceConfig], world: World
) -> None:
    """Write the clipped gradients of a step, and the weights that it leads to, of each rank."""
    for layout in layouts:
        one = bench(data, *overrides, "+optim.grad_clip_norm=1.0", world=world)
        lay_out(one.model, layout, world)
        stepper = one.stepper(layout, world)
        stepper.take(0, one.batch(0), 1e-3)
        found = {f"{name} after": whole(weight) for name, weight in one.model.state_dict().items()}
        for name, parameter in one.model.named_parameters():
            assert parameter.grad is not None
            found[name] = whole(parameter.grad)
        save_file(found, folder / f"{layout.sharding.value}.{world.rank}")


@pytest.mark.parametrize("procedure", ["siglip", "mammut"])
def test_sharded_steps_are_those_of_whole_models(tmp_path: Path, data: Path, procedure: str) -> None:
    overrides = (f"procedure={procedure}", f"model={MODELS[procedure]}")
    whole_model = ResourceConfig(cut_padding=False, accumulation=2, activation_checkpointing=True)
    layouts = [whole_model, replace(whole_model, sharding=Sharding.fsdp2)]
    on_ranks(partial(take_steps, data, tmp_path, overrides, layouts), 2, tmp_path)
    sharded, straight = (load_file(tmp_path / f"{name}.0") for name in ("fsdp2", "none"))
    assert worst_difference(sharded, straight) < 1e-6
    assert worst_difference(sharded, load_file(tmp_path / "fsdp2.1")) == 0.0
