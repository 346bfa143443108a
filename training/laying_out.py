"""A model made ready for the machine: recomputed, compiled and sharded as its layout says."""

import torch

from conf.schema import ResourceConfig, Sharding
from training.blocks import compile_blocks, recompute_blocks
from training.distributed import World
from training.sharding import shard


def lay_out(model: torch.nn.Module, resources: ResourceConfig, world: World) -> None:
    """Change how a model computes, and not what."""
    if resources.activation_checkpointing:
        recompute_blocks(model)
    if resources.compile:
        compile_blocks(model)
    if resources.sharding is Sharding.fsdp2 and world.size > 1:
        shard(model, world)
