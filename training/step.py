"""One optimiser step: forward, backward, gradients averaged over the ranks, clipped and applied."""

import math
from dataclasses import dataclass

import torch

from conf.schema import ResourceConfig, Sharding, TrainConfig
from training.averaging import GradientAverager
from training.data.loader import Batch
from training.data.normalize import Normalizer
from training.distributed import World, mean_over_ranks
from training.optimizer import clamp_logit_scale, clip_gradients, set_learning_rate
from training.procedure import Procedure
from training.samples import Passage, Samples


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """What one step did; all ranks have the same.

    `losses` are means over the ranks, `grad_norm` is taken before clipping. `is_skipped`: one of these
    is no finite number, and nothing was changed. `num_broken`: samples that could not be decoded.
    """

    losses: dict[str, float]
    lr: float
    grad_norm: float
    is_skipped: bool
    num_broken: int


class Stepper:
    """Takes steps with a model and its optimiser."""

    def __init__(
        self,
        train: TrainConfig,
        procedure: Procedure,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        resources: ResourceConfig,
        world: World,
    ) -> None:
        self._train, self._procedure, self._world = train, procedure, world
        self._model, self._optimizer = model, optimizer
        self._averager = GradientAverager(model.parameters(), world)
        self._normalize = Normalizer()
        self._passage = Passage(
            accumulation=resources.accumulation,
            # FSDP2 brings the position embeddings together too late to be lent cut.
            cuts_padding=resources.cut_padding and resources.sharding is Sharding.none,
            precision=train.precision,
        )

    def take(self, step: int, batch: Batch, lr: float) -> StepReport:
        """Take optimiser step `step` of the run on this rank's batch with learning rate `lr`."""
        self._optimizer.zero_grad(set_to_none=True)
        losses = self._backward(step, batch)
        self._averager.finish()
        norm = clip_gradients(self._model, self._train.optim)
        broken = torch.tensor(float(len(batch.broken)), device=self._world.device)
        means = mean_over_ranks({**losses, "broken": broken}, self._world)
        *values, mean_broken, grad_norm = _on_the_host(*means, norm)
        is_skipped = not all(map(math.isfinite, (*values, grad_norm)))
        if not is_skipped:
            self._apply(lr)
        return StepReport(
            losses=dict(zip(losses, values, strict=True)),
            lr=lr,
            grad_norm=grad_norm,
            is_skipped=is_skipped,
            num_broken=round(mean_broken * self._world.size),
        )

    def _backward(self, step: int, batch: Batch) -> dict[str, torch.Tensor]:
        """Leave this rank's gradients in the model; return its losses."""
        seed = (self._train.seed, step, self._world.rank)
        samples = Samples(batch, self._world.device, seed, self._passage, self._normalize)
        losses = self._procedure.losses(self._model, samples, self._world)
        total = torch.stack(list(losses.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return {name: loss.detach() for name, loss in losses.items()}

    def _apply(self, lr: float) -> None:
        set_learning_rate(self._optimizer, lr)
        self._optimizer.step()
        clamp_logit_scale(self._model)


def _on_the_host(*values: torch.Tensor) -> list[float]:
    """Return scalars as numbers; a GPU is waited for once."""
    numbers: list[float] = torch.stack([value.float() for value in values]).tolist()
    return numbers
