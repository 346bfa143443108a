"""Take single steps in this process, and look at the gradients."""

import functools
from dataclasses import dataclass
from pathlib import Path

import torch

from conf.schema import ResourceConfig, TrainConfig
from sweeps.runs.sources import SourceFiles
from tests.training.segments import expansion_of
from training.data.loader import Batch, StepDataset
from training.data.normalize import Normalizer
from training.data.sources import ready
from training.distributed import World
from training.optimizer import make_optimizer
from training.procedure import Procedure, make_procedure
from training.samples import Passage, Samples
from training.step import Stepper

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Bench:
    """A model of the tests' data with all that a step needs."""

    train: TrainConfig
    procedure: Procedure
    model: torch.nn.Module
    data: StepDataset

    def batch(self, step: int) -> Batch:
        """Return this rank's samples of a step."""
        found = self.data[step]
        assert isinstance(found, Batch)
        return found

    def stepper(self, layout: ResourceConfig | None = None, world: World | None = None) -> Stepper:
        """Return what takes steps on one rank."""
        return Stepper(
            self.train,
            self.procedure,
            self.model,
            make_optimizer(self.model, self.train.optim),
            resources=layout or ResourceConfig(),
            world=world or World(),
        )

    def losses(self, batch: Batch, passage: Passage, step: int = 0) -> dict[str, torch.Tensor]:
        """Return the losses of a batch, as one rank computes them."""
        samples = Samples(batch, CPU, (self.train.seed, step, 0), passage, Normalizer())
        return self.procedure.losses(self.model, samples, World())

    def gradients(self, batch: Batch, passage: Passage) -> dict[str, torch.Tensor]:
        """Return the gradient of all losses with respect to each parameter."""
        return gradients(self.model, sum(self.losses(batch, passage).values(), torch.tensor(0.0)))


def gradients(model: torch.nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the gradient with respect to each parameter, by name."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


@functools.cache
def train_config(*overrides: str) -> TrainConfig:
    """Return a config of the tests' data and the quickstart's smallest model, with `overrides`."""
    given = ("sweep=trunk", "samples_seen=640", "schedule=constant", *overrides)
    (segment,) = expansion_of(*given).segments.values()
    return segment.train


def bench(data: Path, *overrides: str, world: World | None = None) -> Bench:
    """Return a fresh model and its data, as `train_config` says."""
    torch.set_num_threads(1)
    train = train_config(*overrides)
    procedure = make_procedure(train.procedure, train.model)
    sources = (SourceFiles(name="tiny", shards=f"{data}/tiny/{{00000..00002}}.tar"),)
    indexes = ready(sources, data)
    dataset = StepDataset(train, indexes, procedure.tokenizer(), procedure.image_size, world or World())
    return Bench(train, procedure, procedure.build(train.seed), dataset)


def worst_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Return the largest relative difference of any tensor, by the norm."""
    assert one.keys() == other.keys()
    return max(
        float((one[name] - other[name]).norm() / other[name].norm().clamp(min=1e-30)) for name in one
    )
