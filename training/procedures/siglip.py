"""SigLIP: each pair of an image and a text is a yes-or-no question of its own."""

import math
from functools import partial

import torch

from conf.schema import ModelConfig
from training.distributed import World
from training.model import Tokenizer, build_model, build_tokenizer, image_size
from training.procedures.contrast import sigmoid_contrast
from training.procedures.towers import encode_pairs, logit_scale, logits_shown
from training.samples import Samples

FIRST_SCALE, FIRST_BIAS = math.log(10), -10.0
"""Logarithm of the scale, and the bias, where training begins (arXiv:2303.15343, section 3.1)."""


class SigLip:
    """Trains open_clip's two towers with a sigmoid instead of a softmax (arXiv:2303.15343)."""

    def __init__(self, config: ModelConfig) -> None:
        self._config = config

    @property
    def image_size(self) -> int:
        """Side of the images in pixels."""
        return image_size(self._config)

    def build(self, seed: int) -> torch.nn.Module:
        """Return open_clip's model of the configured name, with a bias of the logits."""
        return build_model(
            self._config, seed=seed, init_logit_scale=FIRST_SCALE, init_logit_bias=FIRST_BIAS
        )

    def tokenizer(self) -> Tokenizer:
        """Return open_clip's tokenizer of the model."""
        return build_tokenizer(self._config)

    def losses(self, model: torch.nn.Module, samples: Samples, world: World) -> dict[str, torch.Tensor]:
        """Return the contrastive loss."""
        images, texts = samples.through(partial(encode_pairs, model))
        scale, bias = logit_scale(model), _bias(model)
        return {"contrastive_loss": sigmoid_contrast(images, texts, scale, bias, world)}

    def shown(self, model: torch.nn.Module) -> dict[str, float]:
        """Return scale and bias of the logits."""
        return logits_shown(model)


def _bias(model: torch.nn.Module) -> torch.Tensor:
    bias = model.logit_bias
    assert isinstance(bias, torch.Tensor)
    return bias
