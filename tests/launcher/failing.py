"""A procedure that runs out of memory, for tests of what becomes of such runs."""

import torch

from training.distributed import World
from training.procedure import Clip


class Hungry(Clip):
    """Asks for more memory than any machine has where the loss is wanted."""

    def losses(
        self, model: torch.nn.Module, images: torch.Tensor, tokens: torch.Tensor, world: World
    ) -> dict[str, torch.Tensor]:
        """Raise torch's own error."""
        return {"loss": torch.empty(2**55)}
