"""What models have in common that contrast images with texts, and caption the images as well."""

from abc import ABC, abstractmethod

import torch

from conf.schema import ModelConfig
from training.distributed import World
from training.model import Tokenizer, build_tokenizer, image_size
from training.procedures.captions import caption_loss
from training.procedures.contrast import softmax_contrast
from training.procedures.towers import logit_scale, logits_shown
from training.samples import Chunk, Samples


class ContrastiveCaptioner(ABC):
    """Minimises the sum of two losses, each with its weight.

    Args:
        config: of the model.
        contrastive_weight: of CLIP's contrast.
        caption_weight: of the mean loss of a caption's token.
    """

    def __init__(
        self, config: ModelConfig, contrastive_weight: float = 1.0, caption_weight: float = 2.0
    ) -> None:
        self._config = config
        self._contrastive_weight, self._caption_weight = contrastive_weight, caption_weight

    @abstractmethod
    def build(self, seed: int) -> torch.nn.Module:
        """Return a model with fresh weights."""

    @abstractmethod
    def encode(self, model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, ...]:
        """Return features of images and of texts, and what `token_losses` makes of the captions."""

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return image_size(self._config)

    def tokenizer(self) -> Tokenizer:
        """Return open_clip's tokenizer, for the model's length of texts."""
        return build_tokenizer(self._config)

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        """Return the two losses, weighted."""
        images, texts, sums, counts = samples.through(lambda chunk: self.encode(model, chunk))
        contrast = softmax_contrast(images, texts, logit_scale(model), world)
        return {
            "contrastive_loss": self._contrastive_weight * contrast,
            "caption_loss": self._caption_weight * caption_loss(sums, counts, world),
        }

    def caption_losses(self, model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, torch.Tensor]:
        """Return for each caption the sum of its tokens' losses, and their number."""
        _, _, sums, counts = self.encode(model, chunk)
        return sums, counts

    def shown(self, model: torch.nn.Module) -> dict[str, float]:
        """Return the scale of the logits."""
        return logits_shown(model)
