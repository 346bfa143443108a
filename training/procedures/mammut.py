"""MaMMUT: one text decoder that reads a caption twice, alone and beside its image."""

from functools import partial

import torch

from conf.schema import ModelConfig
from sweeps.parameters import sized
from training.distributed import World
from training.model import Tokenizer, build_tokenizer, image_size
from training.procedures.captions import LossWeights, captioner_losses, token_losses
from training.procedures.mammut_model import MammutModel
from training.procedures.mammut_sizes import spelled_out
from training.procedures.towers import logit_scale, logits_shown
from training.samples import Chunk, Samples


class Mammut:
    """Contrast and captions from one decoder (Kuo et al. 2023, arXiv:2303.16839).

    A published size goes by its name, `mammut_ViT-B-32`; another one is spelled out in the same form.
    """

    def __init__(
        self, config: ModelConfig, contrastive_weight: float = 1.0, caption_weight: float = 2.0
    ) -> None:
        self._config = spelled_out(config)
        self._weights = LossWeights(contrastive=contrastive_weight, caption=caption_weight)

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return image_size(self._config)

    def build(self, seed: int) -> torch.nn.Module:
        """Return a model with fresh weights."""
        assert self._config.config is not None
        torch.manual_seed(seed)
        return MammutModel(sized(self._config.config, self._config))

    def tokenizer(self) -> Tokenizer:
        """Return open_clip's tokenizer, for the model's length of texts."""
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
    """Return features of images and texts, and of each caption its loss and number of tokens.

    Padding counts in the features, which are means over all positions, and nowhere else.
    """
    images, texts, logits = model(chunk.images, chunk.tokens, chunk.text_length)
    sums, counts = token_losses(logits, chunk.tokens[:, 1 : chunk.text_length])
    return images, texts, sums, counts
