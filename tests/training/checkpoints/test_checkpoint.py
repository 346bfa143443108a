"""States and weights on disk."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from conf.schema import ModelConfig, ResourceConfig
from sweeps.errors import CorruptCheckpoint
from training.checkpoints import checkpoint
from training.checkpoints.checkpoint import Layout, Position
from training.checkpoints.saved import saved_samples, state_path, state_paths, weights_path
from training.checkpoints.state import Tensors, gathered_weights, load_state, own_state
from training.distributed import World
from training.model import build_model, image_size

TENSORS: Tensors = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(1.5)}


def position(samples: int) -> Position:
    return Position(
        key="k",
        samples_seen=samples,
        samples_trained=samples,
        steps=1,
        train_s=0.5,
        rank_s=1.0,
        layout=Layout.here(World(), ResourceConfig()),
    )


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    checkpoint.write(state_path(tmp_path, 64), TENSORS, position(64))
    tensors, where = checkpoint.read(state_path(tmp_path, 64))
    assert where == position(64)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_a_changed_bit_is_found_wherever_it_is(tmp_path: Path) -> None:
    path = state_path(tmp_path, 64)
    checkpoint.write(path, TENSORS, position(64))
    content = path.read_bytes()
    for where in range(len(content)):
        path.write_bytes(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])
        with pytest.raises(CorruptCheckpoint, match="state-64"):
            checkpoint.read(path)


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_a_torn_file_is_found(tmp_path: Path, size: int) -> None:
    path = state_path(tmp_path, 64)
    checkpoint.write(path, TENSORS, position(64))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CorruptCheckpoint):
        checkpoint.read(path)


def write_parts(folder: Path, samples: int, num_parts: int, parts: range) -> None:
    for part in parts:
        rows = torch.arange(2.0 * part, 2.0 * part + 2)[:, None]
        tensors = {"part.model.w": rows, "model.scale": torch.tensor(1.5)}
        checkpoint.write(state_path(folder, samples, part, num_parts), tensors, position(samples))


def test_a_state_counts_when_all_of_its_parts_are_there(tmp_path: Path) -> None:
    write_parts(tmp_path, 64, 3, range(3))
    write_parts(tmp_path, 128, 3, range(2))
    write_parts(tmp_path, 128, 2, range(1, 2))
    assert saved_samples(tmp_path, "state") == [64]
    with pytest.raises(FileNotFoundError, match="no full state at 128 samples"):
        state_paths(tmp_path, 128)
    write_parts(tmp_path, 128, 2, range(1))
    assert saved_samples(tmp_path, "state") == [64, 128]
    assert [path.name for path in state_paths(tmp_path, 128)] == [
        "state-128.0-of-2.safetensors",
        "state-128.1-of-2.safetensors",
    ]


def test_each_of_as_many_ranks_reads_its_part_and_others_read_all(tmp_path: Path) -> None:
    write_parts(tmp_path, 64, 3, range(3))
    own, _ = checkpoint.read_state(tmp_path, 64, rank=1, num_ranks=3)
    assert own["part.model.w"].tolist() == [[2.0], [3.0]]
    for num_ranks in (1, 2):
        tensors, where = checkpoint.read_state(tmp_path, 64, rank=0, num_ranks=num_ranks)
        assert tensors["model.w"].flatten().tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        assert tensors["model.scale"] == 1.5
        assert where == position(64)


def test_states_that_nobody_needs_are_deleted(tmp_path: Path) -> None:
    for samples in (64, 128):
        checkpoint.write(state_path(tmp_path, samples), TENSORS, position(samples))
    write_parts(tmp_path, 1024, 2, range(2))
    write_parts(tmp_path, 2048, 2, range(1))
    (tmp_path / ".state-4096.safetensors.0123").touch()
    (tmp_path / "weights-64.safetensors").touch()
    checkpoint.sweep_unfinished(tmp_path)
    assert saved_samples(tmp_path, "state") == [64, 128, 1024]
    checkpoint.prune_states(tmp_path, but={128, 1024})
    assert saved_samples(tmp_path, "state") == [128, 1024]
    checkpoint.prune_states(tmp_path)
    assert os.listdir(tmp_path) == ["weights-64.safetensors"]


def test_the_digest_covers_names_types_shapes_and_bytes() -> None:
    variants: list[Tensors] = [
        {"a": torch.zeros(4)},
        {"b": torch.zeros(4)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.zeros(4, dtype=torch.int32)},
        {"a": torch.tensor([0.0, 0.0, 0.0, 1e-45])},
    ]
    assert len({checkpoint.tensors_digest(tensors) for tensors in variants}) == len(variants)


def test_model_and_optimiser_come_back_exactly() -> None:
    def trained(steps: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        for _ in range(steps):
            model(torch.ones(1, 3)).sum().backward()
            optimizer.step()
        return model, optimizer

    saved = own_state(*trained(3))
    model, optimizer = trained(0)
    load_state(model, optimizer, saved)
    assert checkpoint.tensors_digest(own_state(model, optimizer)) == (checkpoint.tensors_digest(saved))


def test_other_programs_read_a_file_as_it_was_written(tmp_path: Path) -> None:
    tensors: Tensors = {
        "odd": torch.tensor([True, False, True]),
        "half": torch.arange(3, dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "none": torch.zeros(0, 4),
        "turned": torch.arange(6.0).reshape(2, 3).t(),
    }
    checkpoint.write(weights_path(tmp_path, 64), tensors, position(64))
    found = load_file(weights_path(tmp_path, 64))
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert all(found[name].dtype == tensors[name].dtype for name in tensors)


@pytest.mark.parametrize("name", ["ViT-S-32-alt", "RN50"])
def test_a_milestone_is_what_plain_open_clip_loads(tmp_path: Path, name: str) -> None:
    import open_clip  # not before training.model, which makes it importable

    ours = build_model(ModelConfig(name=name), seed=3).eval()
    path = weights_path(tmp_path, 64)
    checkpoint.write(path, gathered_weights(ours, World()), position(64))
    theirs = open_clip.create_model(name, pretrained=str(path)).eval()
    side, length = image_size(ModelConfig(name=name)), 77
    images, tokens = torch.rand(1, 3, side, side), torch.randint(1, 1000, (1, length))
    with torch.inference_mode():
        for one, other in zip(ours(images, tokens), theirs(images, tokens), strict=True):
            assert torch.equal(one, other)
