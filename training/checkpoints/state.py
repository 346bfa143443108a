"""The full state of training as tensors by name: weights and the optimiser's.

Of a model that is spread over the ranks each one has stretches, whose names begin with `part.`.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch

from sweeps.errors import CorruptCheckpoint
from training.distributed import World
from training.sharding import is_sharded, of_stretch, own_stretch, spread_like, whole

Tensors = dict[str, torch.Tensor]

WEIGHTS, OPTIMIZER, PART = "model.", "optimizer.", "part."
"""Begin the names of weights, of the optimiser's tensors, and of stretches of either."""


def own_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer | None) -> Tensors:
    """Return what this rank has of weights and optimiser, by name: the tensors themselves, no copies.

    Without an optimiser the weights alone, by the same names.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    named = {f"{WEIGHTS}{name}": tensor for name, tensor in _weights(model)}
    for parameter, values in optimizer.state.items() if optimizer else ():
        for kind, value in values.items():
            named[f"{OPTIMIZER}{kind}.{names[id(parameter)]}"] = value.detach()
    return {
        f"{PART}{name}" if is_sharded(tensor) else name: own_stretch(tensor)
        for name, tensor in named.items()
    }


def gathered_weights(model: torch.nn.Module, world: World) -> Tensors:
    """Return all weights by name on the first rank, and none on others.

    Themselves, no copies, but for those of a spread model, for which all ranks have to ask.
    """
    found = {}
    for name, tensor in _weights(model):
        complete = whole(tensor)
        if world.is_first:
            found[name] = complete.cpu() if is_sharded(tensor) else complete
    return found


def joined(parts: Sequence[Tensors]) -> Tensors:
    """Return the whole state of which each rank had a part."""
    return {
        name.removeprefix(PART): torch.cat([part[name] for part in parts])
        if name.startswith(PART)
        else tensor
        for name, tensor in parts[0].items()
    }


def under(tensors: Tensors, prefix: str) -> Tensors:
    """Return the tensors whose names begin with `prefix`, by what follows it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def load_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer, saved: Tensors) -> None:
    """Put the tensors of `own_state` back, or those of all ranks joined.

    Raises:
        CorruptCheckpoint: some are missing.
    """
    own = model.state_dict()
    weights = {name: _placed(saved, f"{WEIGHTS}{name}", tensor) for name, tensor in own.items()}
    model.load_state_dict(weights, strict=True)
    whole_names = (key.removeprefix(PART) for key in saved)
    kinds = {name.split(".")[1] for name in whole_names if name.startswith(OPTIMIZER)}
    for name, parameter in model.named_parameters():
        for kind in sorted(kinds):
            # The step counter stays on the CPU unless a fused kernel put it elsewhere.
            value = _placed(saved, f"{OPTIMIZER}{kind}.{name}", parameter.detach())
            optimizer.state[parameter][kind] = value


def load_weights(model: torch.nn.Module, saved: Mapping[str, torch.Tensor]) -> None:
    """Put whole weights, by their own names, into a model that may be spread over the ranks."""
    own = model.state_dict()
    spread = {name: spread_like(own[name], t) if name in own else t for name, t in saved.items()}
    model.load_state_dict(spread, strict=True)


def _placed(saved: Tensors, name: str, like: torch.Tensor) -> torch.Tensor:
    if f"{PART}{name}" in saved:
        return of_stretch(like, saved[f"{PART}{name}"])
    if name in saved:
        return spread_like(like, saved[name])
    raise CorruptCheckpoint(f"the saved state has no {name}; another model was trained there")


def _weights(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the weights, and copies of buffers, of which a forward pass may change some."""
    parameters = dict(model.named_parameters())
    for name, tensor in model.state_dict().items():
        live = tensor.detach()
        yield name, live if name in parameters else live.clone()
