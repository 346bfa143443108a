"""MaMMUT: one text decoder that reads a caption twice, alone and beside its image."""

import torch

from conf.schema import ModelConfig
from sweeps.costs.parameters import sized
from training.procedures.captioner import ContrastiveCaptioner
from training.procedures.captions import token_losses
from training.procedures.mammut_model import MammutModel
from training.procedures.mammut_sizes import spelled_out
from training.samples import Chunk


class Mammut(ContrastiveCaptioner):
    """Contrast and captions from one decoder (Kuo et al. 2023, arXiv:2303.16839).

    A published size goes by its name, `mammut_ViT-B-32`; another one is spelled out in the same form.
    """

    def __init__(
        self, config: ModelConfig, contrastive_weight: float = 1.0, caption_weight: float = 2.0
    ) -> None:
        super().__init__(spelled_out(config), contrastive_weight, caption_weight)

    def build(self, seed: int) -> torch.nn.Module:
        """Return a model with fresh weights."""
        assert self._config.config is not None
        torch.manual_seed(seed)
        return MammutModel(sized(self._config.config, self._config))

    def encode(self, model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, ...]:
        """Return what the two passes make of images and texts.

        Padding counts in the features, which are means over all positions, and nowhere else.
        """
        images, texts, logits = model(chunk.images, chunk.tokens, chunk.text_length)
        sums, counts = token_losses(logits, chunk.tokens[:, 1 : chunk.text_length])
        return images, texts, sums, counts
