"""The blocks that a model repeats: the pieces in which it is recomputed, compiled or sharded."""

from functools import partial

import torch
from torch.nn import ModuleList, Sequential
from torch.utils.checkpoint import checkpoint


def blocks_of(model: torch.nn.Module) -> list[torch.nn.Module]:
    """Return the members of a model's outermost lists of modules: a transformer's layers."""
    found: list[torch.nn.Module] = []
    for child in model.children():
        found += list(child.children()) if _is_stack(child) else blocks_of(child)
    return found


def recompute_blocks(model: torch.nn.Module) -> None:
    """Keep of each block what goes in, and compute the rest once more in the backward pass."""
    for block in blocks_of(model):
        again = partial(checkpoint, block.forward, use_reentrant=False)
        block.forward = again


def compile_blocks(model: torch.nn.Module) -> None:
    """Let torch.compile make kernels for each block; equal blocks share them."""
    for block in blocks_of(model):
        block.compile()


def _is_stack(module: torch.nn.Module) -> bool:
    kinds = [type(child) for child in module.children()]
    alike = len(kinds) > 1 and len(set(kinds)) == 1
    return isinstance(module, ModuleList) or (isinstance(module, Sequential) and alike)
