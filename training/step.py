"""One optimiser step: forward, backward, gradients averaged over the ranks, clipped and applied."""

from dataclasses import dataclass

import numpy as np
import torch

from conf.schema import Precision, TrainConfig
from sweeps.errors import NotFinite
from training.data.loader import Batch
from training.data.normalize import Normalizer
from training.distributed import World, average_gradients
from training.optimizer import clamp_logit_scale, clip_gradients, set_learning_rate
from training.procedure import Procedure


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """What one step did. `losses` are this rank's, scalars; `grad_norm` is taken before clipping."""

    losses: dict[str, torch.Tensor]
    lr: float
    grad_norm: float


class Stepper:
    """Takes steps with a model and its optimiser."""

    def __init__(
        self,
        train: TrainConfig,
        procedure: Procedure,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        world: World,
    ) -> None:
        self._train, self._procedure, self._world = train, procedure, world
        self._model, self._optimizer = model, optimizer
        self._normalize = Normalizer()

    def take(self, step: int, batch: Batch, lr: float) -> StepReport:
        """Take optimiser step `step` of the run on this rank's batch with learning rate `lr`.

        Raises:
            NotFinite: the loss is no finite number.
        """
        set_learning_rate(self._optimizer, lr)
        self._optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(step_seed(self._train.seed, step, self._world.rank))
        losses = self._backward(step, batch)
        average_gradients(self._model.parameters(), self._world)
        norm = clip_gradients(self._model, self._train.optim)
        self._optimizer.step()
        clamp_logit_scale(self._model)
        return StepReport(losses=losses, lr=lr, grad_norm=norm)

    def _backward(self, step: int, batch: Batch) -> dict[str, torch.Tensor]:
        device = self._world.device
        images = self._normalize(batch.images.to(device, non_blocking=True))
        tokens = batch.tokens.to(device, non_blocking=True)
        bf16 = self._train.precision is Precision.bf16
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            losses = self._procedure.losses(self._model, images, tokens, self._world)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise NotFinite(
                f"the loss is {float(total.detach())} after {step * self._train.global_batch_size} "
                f"samples; lower optim.lr or lengthen schedule.warmup"
            )
        total.backward()  # type: ignore[no-untyped-call]
        return {name: loss.detach() for name, loss in losses.items()}


def step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of dropout and the like in one step of one rank."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])
