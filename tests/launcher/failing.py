"""Procedures that fail in the middle of a training, for tests of what becomes of such runs."""

import os
from pathlib import Path

import torch

from training.distributed import World
from training.procedures.clip import Clip
from training.samples import Samples


class Hungry(Clip):
    """Asks for more memory than any machine has where the loss is wanted."""

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        """Raise torch's own error."""
        return {"loss": torch.empty(2**55)}


class Swelling(Clip):
    """Takes hold of 8 GiB where the loss is wanted."""

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        """Touch every page."""
        return {"loss": torch.ones(2**31).mean()}


class Deserted(Clip):
    """Has its last rank leave without a word in the first attempt, so that the others lose a peer."""

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        """Leave if it was not done before."""
        if world.rank == world.size - 1 and _is_first(Path(os.environ["ISOGRID_ROOT"]) / "deserted"):
            os._exit(0)
        return super().losses(model, samples, world)


def _is_first(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
