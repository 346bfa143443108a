"""Training and scoring that wait, so that a process lasts as long as a test wants."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch

from conf.schema import ModelConfig
from evaluation.encoding.encoder import Encoder
from evaluation.sets.testset import TestSet
from training.distributed import World
from training.procedures.clip import Clip
from training.samples import Samples

FREE_STEPS = 4
POLL_S = 0.05


class Gated(Clip):
    """Does not get beyond its first steps, in each attempt, until a file exists."""

    def __init__(self, config: ModelConfig, gate: str, free_steps: int = FREE_STEPS) -> None:
        super().__init__(config)
        self._gate, self._free_steps = Path(gate), free_steps
        self._num_steps = 0

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        self._num_steps += 1
        while self._num_steps > self._free_steps and not self._gate.exists():
            time.sleep(POLL_S)
        return super().losses(model, samples, world)


class GatedScore:
    """An evaluator that measures once a file exists."""

    def __init__(self, gate: str) -> None:
        self._gate = Path(gate)

    def run(self, model: Encoder, data: TestSet) -> Iterator[tuple[str, float]]:
        """Yield how many images there are."""
        while not self._gate.exists():
            time.sleep(POLL_S)
        yield "num_images", float(len(data.labels))
