"""Training procedures: what is built, and what its loss is.

A procedure is one small class, named by `_target_` in `conf/procedure/`; a user's own lies wherever
Python can import it.
"""

import warnings
from pkgutil import resolve_name
from typing import Any, Protocol

import torch

from conf.schema import ModelConfig, ProcedureConfig
from training.distributed import World
from training.model import Tokenizer, build_contrast, build_model, build_tokenizer


class Procedure(Protocol):
    """What the loop and the evaluators need of a procedure."""

    def build(self, seed: int) -> torch.nn.Module:
        """Return the model with fresh weights."""
        ...

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer of the model's text."""
        ...

    def losses(
        self, model: torch.nn.Module, images: torch.Tensor, tokens: torch.Tensor, world: World
    ) -> dict[str, torch.Tensor]:
        """Return scalar losses by name; their sum is minimised.

        Args:
            model: what `build` returned.
            images: normalised, shape (micro-batch, 3, side, side).
            tokens: shape (micro-batch, context length).
            world: the ranks among which the contrast is taken.
        """
        ...


class Clip:
    """Contrastive training of an image and a text tower (Radford et al. 2021, arXiv:2103.00020)."""

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        self._loss: torch.nn.Module | None = None

    def build(self, seed: int) -> torch.nn.Module:
        """Return open_clip's model of the configured name."""
        return build_model(self._config, seed=seed)

    def tokenizer(self) -> Tokenizer:
        """Return open_clip's tokenizer of the model."""
        return build_tokenizer(self._config)

    def losses(
        self, model: torch.nn.Module, images: torch.Tensor, tokens: torch.Tensor, world: World
    ) -> dict[str, torch.Tensor]:
        """Return the contrastive loss of the ranks' batches taken together."""
        image_features, text_features, scale = model(images, tokens)[:3]
        loss = self._contrast(world)
        with warnings.catch_warnings():
            # open_clip 3.3.0 gathers through a function that torch 2.13 calls deprecated.
            warnings.filterwarnings("ignore", "torch.distributed.nn", FutureWarning)
            return {"contrastive_loss": loss(image_features, text_features, scale)}

    def _contrast(self, world: World) -> torch.nn.Module:
        if self._loss is None:
            self._loss = build_contrast(world)
        return self._loss


def make_procedure(config: ProcedureConfig, model: ModelConfig) -> Procedure:
    """Return the procedure that a config names."""
    kind: Any = resolve_name(config._target_)
    procedure: Procedure = kind(model, **config.options)
    return procedure
