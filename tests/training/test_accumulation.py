"""A step in micro-batches, on any number of ranks, has the gradient of the whole batch."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.ranks import on_ranks
from tests.training.steps import CPU, Bench, bench, gradients, worst_difference
from training.averaging import GradientAverager
from training.data.loader import Batch
from training.data.normalize import Normalizer
from training.distributed import World
from training.procedures.contrast import sigmoid_contrast, softmax_contrast
from training.samples import Passage, Samples

DROPOUT = "+model.config.vision_cfg.patch_dropout=0.5"
MODELS = {"clip": "ViT-w32", "siglip": "ViT-w32", "coca": "coca-w32", "mammut": "mammut-w32"}
NUM_CHUNKS = 4


def seed_everything(*numbers: int) -> None:
    seed = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    torch.manual_seed(int(seed[0]))


def in_one_graph(one: Bench, batch: Batch, num_ranks: int) -> dict[str, torch.Tensor]:
    """Return the gradients of the contrast of all features, all activations of all ranks kept."""
    model, pairs, per_rank = one.model, [], NUM_CHUNKS // num_ranks
    for number, rows in enumerate(torch.arange(len(batch.tokens)).chunk(NUM_CHUNKS)):
        seed_everything(one.train.seed, 0, *divmod(number, per_rank))
        pairs.append(model(Normalizer()(batch.images[rows]), batch.tokens[rows])[:2])
    images, texts = (torch.cat(side) for side in zip(*pairs, strict=True))
    scale, bias = model.logit_scale.exp(), model.logit_bias  # type: ignore[operator]
    if bias is None:
        return gradients(model, softmax_contrast(images, texts, scale, World()))
    assert isinstance(bias, torch.Tensor)
    return gradients(model, sigmoid_contrast(images, texts, scale, bias, World()))


@pytest.mark.parametrize("procedure", ["clip", "siglip"])
def test_each_micro_batch_drops_the_same_patches_twice(data: Path, procedure: str) -> None:
    one = bench(data, f"procedure={procedure}", DROPOUT)
    batch = one.batch(0)
    found = one.gradients(batch, Passage(accumulation=NUM_CHUNKS, cuts_padding=False))
    assert ("logit_bias" in found) == (procedure == "siglip")
    assert worst_difference(found, in_one_graph(one, batch, 1)) < 1e-6
    seed_everything(1)
    assert worst_difference(found, one.gradients(batch, Passage(cuts_padding=False))) > 1e-3


@pytest.mark.parametrize("procedure", MODELS)
def test_micro_batches_have_the_gradient_of_the_whole(data: Path, procedure: str) -> None:
    one = bench(data, f"procedure={procedure}", f"model={MODELS[procedure]}")
    whole, parts = (one.gradients(one.batch(0), Passage(accumulation=n)) for n in (1, NUM_CHUNKS))
    assert worst_difference(parts, whole) < 1e-6


def leave_gradients(data: Path, folder: Path, overrides: tuple[str, ...], world: World) -> None:
    """Write the gradients of one rank, averaged over all of them, to a file."""
    one = bench(data, *overrides, world=world)
    passage = Passage(accumulation=NUM_CHUNKS // world.size, cuts_padding=False)
    samples = Samples(one.batch(0), CPU, (one.train.seed, 0, world.rank), passage, Normalizer())
    losses = one.procedure.losses(one.model, samples, world)
    averager = GradientAverager(one.model.parameters(), world)
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    averager.finish()
    found = {name: p.grad for name, p in one.model.named_parameters() if p.grad is not None}
    save_file(found, folder / f"{world.rank}.safetensors")


@pytest.mark.parametrize("procedure", ["clip", "siglip"])
def test_two_ranks_have_it_too(data: Path, tmp_path: Path, procedure: str) -> None:
    overrides = (f"procedure={procedure}", DROPOUT)
    one = bench(data, *overrides)
    on_ranks(partial(leave_gradients, data, tmp_path, overrides), 2, tmp_path)
    expected = in_one_graph(one, one.batch(0), 2)
    for rank in (0, 1):
        assert worst_difference(load_file(tmp_path / f"{rank}.safetensors"), expected) < 1e-6


def test_two_ranks_count_the_tokens_of_both(data: Path, tmp_path: Path) -> None:
    overrides = ("procedure=mammut", "model=mammut-w32")
    one = bench(data, *overrides)
    on_ranks(partial(leave_gradients, data, tmp_path, overrides), 2, tmp_path)
    expected = one.gradients(one.batch(0), Passage(cuts_padding=False))
    assert worst_difference(load_file(tmp_path / "0.safetensors"), expected) < 1e-6
