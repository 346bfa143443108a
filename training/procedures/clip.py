"""CLIP: contrastive training of an image and a text tower."""

from functools import partial

import torch

from conf.schema import ModelConfig
from training.distributed import World
from training.model import Tokenizer, build_model, build_tokenizer, image_size
from training.procedures.contrast import softmax_contrast
from training.procedures.towers import encode_pairs, logit_scale, logits_shown
from training.samples import Samples


class Clip:
    """Contrasts each image with all texts and each text with all images (arXiv:2103.00020)."""

    def __init__(self, config: ModelConfig) -> None:
        self._config = config

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return image_size(self._config)

    def build(self, seed: int) -> torch.nn.Module:
        """Return open_clip's model of the configured name."""
        return build_model(self._config, seed=seed)

    def tokenizer(self) -> Tokenizer:
        """Return open_clip's tokenizer of the model."""
        return build_tokenizer(self._config)

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        """Return the contrastive loss."""
        images, texts = samples.through(partial(encode_pairs, model))
        return {"contrastive_loss": softmax_contrast(images, texts, logit_scale(model), world)}

    def shown(self, model: torch.nn.Module) -> dict[str, float]:
        """Return the scale of the logits."""
        return logits_shown(model)
