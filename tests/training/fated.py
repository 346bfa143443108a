"""A procedure whose process dies after as many steps as a file says."""

import os
import signal
from pathlib import Path

import torch

from conf.schema import ModelConfig
from training.distributed import World
from training.procedures.clip import Clip
from training.samples import Samples


class Fated(Clip):
    """Takes as many steps as stand in the file `fate`, and dies in the middle of the next one."""

    def __init__(self, config: ModelConfig, fate: str) -> None:
        super().__init__(config)
        self._steps_to_live = int(Path(fate).read_text())

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        losses = super().losses(model, samples, world)
        if world.is_first and self._steps_to_live == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._steps_to_live -= 1
        return losses
