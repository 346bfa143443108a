"""CoCa: a contrast of images with texts, and captions of the images, from one model."""

from functools import partial
from typing import Any

import torch

from conf.schema import ModelConfig
from training.distributed import World
from training.model import Tokenizer, build_model, build_tokenizer, image_size
from training.procedures.captions import LossWeights, captioner_losses, token_losses
from training.procedures.towers import logit_scale, logits_shown
from training.samples import Chunk, Samples


class CoCa:
    """Contrastive captioner (Yu et al. 2022, arXiv:2205.01917), with its weights of the two losses."""

    def __init__(
        self, config: ModelConfig, contrastive_weight: float = 1.0, caption_weight: float = 2.0
    ) -> None:
        self._config = config
        self._weights = LossWeights(contrastive=contrastive_weight, caption=caption_weight)

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return image_size(self._config)

    def build(self, seed: int) -> torch.nn.Module:
        """Return open_clip's model of the configured name."""
        model = build_model(self._config, seed=seed)
        decoder: Any = model.text_decoder
        # open_clip 3.3.0 leaves this one as it finds the memory.
        torch.nn.init.normal_(decoder.text_projection, std=decoder.width**-0.5)
        return model

    def tokenizer(self) -> Tokenizer:
        """Return open_clip's tokenizer of the model."""
        return build_tokenizer(self._config)

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        """Return the two losses, weighted."""
        made = samples.through(partial(_encode, model))
        return captioner_losses(made, logit_scale(model), world, self._weights)

    def caption_losses(self, model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, torch.Tensor]:
        """Return for each caption the sum of its tokens' losses, and their number."""
        _, _, sums, counts = _encode(model, chunk)
        return sums, counts

    def shown(self, model: torch.nn.Module) -> dict[str, float]:
        """Return the scale of the logits."""
        return logits_shown(model)


def _encode(model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, ...]:
    """Return features of images and texts, and of each caption its loss and number of tokens."""
    made = model(chunk.images, chunk.tokens)
    sums, counts = token_losses(made["logits"], made["labels"])
    return made["image_features"], made["text_features"], sums, counts
