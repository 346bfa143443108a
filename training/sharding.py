"""Weights, gradients and optimiser spread over the ranks, for models that do not fit on one (FSDP2).

Each block's weights come together while it computes. Scalars, the logit scale and bias, stay whole on
every rank: a procedure reads them outside of the model. torch's part in this takes a second to import,
so who spreads nothing does without it.
"""

from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

import torch

from conf.schema import ResourceConfig, Sharding
from training.blocks import blocks_of
from training.distributed import World

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


@runtime_checkable
class _Spread(Protocol):
    """What a DTensor has and no other tensor."""

    device_mesh: Any
    placements: Any


def is_spread(resources: ResourceConfig, world: World) -> bool:
    """Return whether a run that is laid out so spreads its model over the ranks."""
    return resources.sharding is not Sharding.none and world.size > 1


def shard(model: torch.nn.Module, world: World) -> None:
    """Spread a model's weights over all ranks; equal ones have to be on each."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(world.device.type, (world.size,))
    scalars = {parameter for parameter in model.parameters() if parameter.ndim == 0}
    for block in blocks_of(model):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh, ignored_params=scalars)


def is_sharded(tensor: torch.Tensor | None) -> "TypeGuard[DTensor]":
    """Return whether each rank has a part of a tensor only."""
    return isinstance(tensor, _Spread)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all of a tensor; where it is sharded, all ranks have to ask for it."""
    if is_sharded(tensor):
        full: torch.Tensor = tensor.full_tensor()
        return full
    return tensor


def own_stretch(tensor: torch.Tensor) -> torch.Tensor:
    """Return what this rank has of a tensor, in its memory: a stretch, or all if it is not sharded."""
    if is_sharded(tensor):
        return tensor.to_local()
    return tensor


def of_stretch(model: torch.Tensor, stretch: torch.Tensor) -> torch.Tensor:
    """Return the tensor, spread as `model` is, of which each rank gives its own stretch."""
    assert is_sharded(model)
    return model.from_local(
        stretch.to(model.device),
        model.device_mesh,
        model.placements,
        run_check=False,
        shape=model.shape,
        stride=model.stride(),
    )


def spread_like(model: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    """Return a rank's part of a whole tensor that is on every rank, spread as `model` is."""
    on_device = tensor.to(model.device)
    if not is_sharded(model) or model.shape != tensor.shape:
        return on_device
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(on_device, model.device_mesh, model.placements, src_data_rank=None)
