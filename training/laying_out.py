"""A model made ready for the machine: recomputed, compiled and sharded as its layout says."""

import torch

from conf.schema import ResourceConfig
from training.blocks import compile_blocks, recompute_blocks
from training.distributed import World
from training.sharding import is_spread, shard


def lay_out(model: torch.nn.Module, resources: ResourceConfig, world: World) -> None:
    """Change how a model computes, and not what."""
    if resources.activation_checkpointing:
        recompute_blocks(model)
    if resources.compile:
        compile_blocks(model)
    if is_spread(resources, world):
        shard(model, world)
