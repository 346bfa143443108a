"""A checkpoint that encodes test sets and prompts, each once."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from evaluation.testset import TestSet
from sweeps.errors import DataError, NotFinite
from training.data.decode import Pixels
from training.data.normalize import Normalizer
from training.distributed import World
from training.model import Tokenizer
from training.procedure import Captioner, Procedure
from training.samples import Chunk, text_lengths

Features = NDArray[np.float32]
"""Unit vectors, shape (n, embedding)."""

BATCH = 256


CaptionLosses = Callable[[Chunk], tuple[torch.Tensor, torch.Tensor]]
"""Sums of the losses of each caption's tokens, and their numbers."""


class Encoder:
    """Features of one model. Features of a test set's images are kept as long as the set.

    Args:
        model: with `encode_image`, `encode_text` and `logit_scale`.
        tokenizer: of its texts.
        device: where it is.
        caption_losses: of a model that captions.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        tokenizer: Tokenizer,
        device: torch.device,
        caption_losses: CaptionLosses | None = None,
    ) -> None:
        self._model, self._tokenizer, self.device = model.eval(), tokenizer, device
        self._caption_losses = caption_losses
        self._normalize = Normalizer()
        self._images: WeakKeyDictionary[TestSet, Features] = WeakKeyDictionary()

    @property
    def num_params(self) -> int:
        """How many parameters the model has."""
        return sum(parameter.numel() for parameter in self._model.parameters())

    @property
    def image_tower(self) -> torch.nn.Module:
        """What makes features of images, not yet of unit length.

        Raises:
            DataError: the model has no tower of its own for that.
        """
        tower = getattr(self._model, "visual", None)
        if not isinstance(tower, torch.nn.Module):
            raise DataError(f"{type(self._model).__name__} has no image tower")
        return tower

    @property
    def logit_scale(self) -> float:
        """The model's temperature: what dot products are multiplied by."""
        return float(self._model.logit_scale.detach().exp())  # type: ignore[operator]

    def images(self, data: TestSet) -> Features:
        """Return the features of all images of a test set, in order."""
        if data not in self._images:
            self._images[data] = self._encode_images(data.images)
        return self._images[data]

    def texts(self, texts: Sequence[str]) -> Features:
        """Return the features of texts; equal texts are encoded once."""
        unique = list(dict.fromkeys(texts))
        parts = [self._encode_texts(unique[i : i + BATCH]) for i in range(0, len(unique), BATCH)]
        place = {text: number for number, text in enumerate(unique)}
        features: Features = np.concatenate(parts)[[place[text] for text in texts]]
        return features

    @torch.inference_mode()
    def caption_loss(self, data: TestSet, captions: Sequence[str]) -> float | None:
        """Return the mean loss in nats of tokens, of one caption an image; None if it has none."""
        if self._caption_losses is None:
            return None
        sums, counts = 0.0, 0
        for first in range(0, len(captions), BATCH):
            tokens = self._tokenizer(list(captions[first : first + BATCH]))
            batch = torch.from_numpy(data.images[first : first + BATCH]).to(self.device)
            images = self._normalize(batch)
            chunk = Chunk(images=images, tokens=tokens.to(self.device), lengths=text_lengths(tokens))
            losses, lengths = self._caption_losses(chunk)
            sums, counts = sums + float(losses.double().sum()), counts + int(lengths.sum())
        return sums / max(counts, 1)

    @torch.inference_mode()
    def patches(self, images: Pixels) -> torch.Tensor:
        """Return unit vectors of the patches of some images, shape (n, grid, grid, embedding).

        They are the last tokens of a vision transformer, taken through the norm and the projection of
        its pooled token: what a patch says in the space of texts, without training.

        Raises:
            DataError: the image tower is no vision transformer of open_clip's with a plain pooling.
        """
        tower: Any = self._model.visual
        if not hasattr(tower, "forward_intermediates") or getattr(tower, "attn_pool", None) is not None:
            raise DataError(f"{type(tower).__name__} has no patches that texts can be compared with")
        numbers = self._normalize(torch.from_numpy(images).to(self.device))
        made = tower.forward_intermediates(
            numbers, indices=1, normalize_intermediates=True, intermediates_only=True
        )
        tokens = made["image_intermediates"][-1].permute(0, 2, 3, 1)
        projected = tokens if tower.proj is None else tokens @ tower.proj
        return torch.nn.functional.normalize(projected.float(), dim=-1)

    @torch.inference_mode()
    def _encode_images(self, images: NDArray[np.uint8]) -> Features:
        parts = []
        for first in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[first : first + BATCH]).to(self.device)
            encoded = self._model.encode_image(self._normalize(batch), normalize=True)  # type: ignore[operator]
            parts.append(encoded.float().cpu().numpy())
        return _finite(np.concatenate(parts))

    @torch.inference_mode()
    def _encode_texts(self, texts: list[str]) -> Features:
        tokens = self._tokenizer(texts).to(self.device)
        encoded = self._model.encode_text(tokens, normalize=True)  # type: ignore[operator]
        return _finite(encoded.float().cpu().numpy())


def encoder_of(procedure: Procedure, model: torch.nn.Module) -> Encoder:
    """Return the encoder of a model that `procedure` built, on the GPU if there is one."""
    device = World().device
    captions = partial(procedure.caption_losses, model) if isinstance(procedure, Captioner) else None
    return Encoder(model.to(device), procedure.tokenizer(), device, captions)


def _finite(features: Features) -> Features:
    """Return `features`; comparisons with NaN are false, so it would pass for a perfect score."""
    if not np.isfinite(features).all():
        raise NotFinite("the model's features are no finite numbers; its training diverged")
    return features
