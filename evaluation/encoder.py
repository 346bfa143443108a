"""A checkpoint that encodes test sets and prompts, each once."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from evaluation.testset import TestSet
from sweeps.errors import NotFinite
from training.data.normalize import Normalizer
from training.distributed import World
from training.model import Tokenizer
from training.procedure import Procedure
from training.state import Tensors, load_weights

Features = NDArray[np.float32]
"""Unit vectors, shape (n, embedding)."""

BATCH = 256


class Encoder:
    """Features of one model. Features of a test set's images are kept for the next eval on it."""

    def __init__(self, model: torch.nn.Module, tokenizer: Tokenizer, device: torch.device) -> None:
        self._model, self._tokenizer, self._device = model.eval(), tokenizer, device
        self._normalize = Normalizer()
        self._images: dict[int, Features] = {}

    @property
    def num_params(self) -> int:
        """How many parameters the model has."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @property
    def logit_scale(self) -> float:
        """The model's temperature: what dot products are multiplied by."""
        return float(self._model.logit_scale.detach().exp())  # type: ignore[operator]

    def images(self, data: TestSet) -> Features:
        """Return the features of all images of a test set, in order."""
        if id(data) not in self._images:
            self._images[id(data)] = self._encode_images(data.images)
        return self._images[id(data)]

    def texts(self, texts: Sequence[str]) -> Features:
        """Return the features of texts; equal texts are encoded once."""
        unique = list(dict.fromkeys(texts))
        parts = [self._encode_texts(unique[i : i + BATCH]) for i in range(0, len(unique), BATCH)]
        place = {text: number for number, text in enumerate(unique)}
        features: Features = np.concatenate(parts)[[place[text] for text in texts]]
        return features

    @torch.inference_mode()
    def _encode_images(self, images: NDArray[np.uint8]) -> Features:
        parts = []
        for first in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[first : first + BATCH]).to(self._device)
            encoded = self._model.encode_image(self._normalize(batch), normalize=True)  # type: ignore[operator]
            parts.append(encoded.float().cpu().numpy())
        return _finite(np.concatenate(parts))

    @torch.inference_mode()
    def _encode_texts(self, texts: list[str]) -> Features:
        tokens = self._tokenizer(texts).to(self._device)
        encoded = self._model.encode_text(tokens, normalize=True)  # type: ignore[operator]
        return _finite(encoded.float().cpu().numpy())


def encoder_of(procedure: Procedure, weights: Tensors) -> Encoder:
    """Return the encoder of a procedure's model with these weights, where this process has its GPU."""
    device, model = World().device, procedure.build(0)
    load_weights(model, weights)
    return Encoder(model.to(device), procedure.tokenizer(), device)


def _finite(features: Features) -> Features:
    """Return `features`; comparisons with NaN are false, so it would pass for a perfect score."""
    if not np.isfinite(features).all():
        raise NotFinite("the model's features are no finite numbers; its training diverged")
    return features
