"""A procedure whose loss is no finite number on some data."""

import math

import torch

from training.distributed import World
from training.procedures.clip import Clip
from training.samples import Samples


class Faulty(Clip):
    """Fails on a batch that begins with a caption of a number of tokens that 3 divides."""

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        (tokens,) = samples.through(lambda chunk: (chunk.tokens,))
        factor = 1.0 if tokens[0].ne(0).sum() % 3 else math.inf
        return {name: loss * factor for name, loss in super().losses(model, samples, world).items()}
