"""CoCa: a contrast of images with texts, and captions of the images, from one model."""

from typing import Any

import torch

from training.model import build_model
from training.procedures.captioner import ContrastiveCaptioner
from training.procedures.captions import token_losses
from training.samples import Chunk


class CoCa(ContrastiveCaptioner):
    """Contrastive captioner (Yu et al. 2022, arXiv:2205.01917), with its weights of the two losses."""

    def build(self, seed: int) -> torch.nn.Module:
        """Return open_clip's model of the configured name."""
        model = build_model(self._config, seed=seed)
        decoder: Any = model.text_decoder
        # open_clip 3.3.0 leaves this one as it finds the memory.
        torch.nn.init.normal_(decoder.text_projection, std=decoder.width**-0.5)
        return model

    def encode(self, model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, ...]:
        """Return what the three parts of the model make of images and texts."""
        made = model(chunk.images, chunk.tokens)
        sums, counts = token_losses(made["logits"], made["labels"])
        return made["image_features"], made["text_features"], sums, counts
