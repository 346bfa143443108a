"""Training procedures: what is built, and what its loss is.

A procedure is one small class, named by `_target_` in `conf/procedure/`; a user's own lies wherever
Python can import it. Those that come with isogrid lie in `training.procedures`.
"""

from inspect import signature
from pkgutil import resolve_name
from typing import Any, Protocol, runtime_checkable

import torch

from conf.schema import ModelConfig, ProcedureConfig
from sweeps.errors import UsageError
from training.distributed import World
from training.model import Tokenizer
from training.samples import Chunk, Samples


class Procedure(Protocol):
    """What the loop and the evaluators need of a procedure."""

    @property
    def image_size(self) -> int:
        """Side in pixels of the square images that the model takes."""
        ...

    def build(self, seed: int) -> torch.nn.Module:
        """Return the model with fresh weights; equal seeds give equal weights."""
        ...

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer of the captions."""
        ...

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        """Return scalar losses by name; the mean over all ranks of their sum is minimised.

        Args:
            model: what `build` returned.
            samples: this rank's part of the global batch; `samples.through` encodes it.
            world: all ranks, for a loss that takes their samples together.
        """
        ...

    def shown(self, model: torch.nn.Module) -> dict[str, float]:
        """Return what metrics show beside the losses, by name."""
        ...


@runtime_checkable
class Captioner(Protocol):
    """A procedure whose model also says what it sees."""

    def caption_losses(self, model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, torch.Tensor]:
        """Return for each caption the sum of its tokens' losses in nats, and their number."""
        ...


def make_procedure(config: ProcedureConfig, model: ModelConfig) -> Procedure:
    """Return the procedure that a config names.

    Raises:
        UsageError: it does not take these options.
    """
    kind: Any = resolve_name(config._target_)
    try:
        signature(kind).bind(model, **config.options)
    except TypeError as error:
        raise UsageError(f"procedure.options of {config._target_}: {error}") from error
    procedure: Procedure = kind(model, **config.options)
    return procedure
