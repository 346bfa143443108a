"""A model whose features are given."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from evaluation.encoding.encoder import Encoder, Features


class Lookup(torch.nn.Module):
    """An image names its row by its first pixel, a text by itself."""

    def __init__(self, images: Features, texts: Mapping[str, Features], scale: float) -> None:
        super().__init__()
        self.given, self.texts = torch.from_numpy(images), texts
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(scale)))

    def encode_image(self, images: torch.Tensor, normalize: bool) -> torch.Tensor:
        rows = torch.round((images[:, 0, 0, 0] * 0.26862954 + 0.48145466) * 255).long()
        return self.given[rows]

    def encode_text(self, tokens: torch.Tensor, normalize: bool) -> torch.Tensor:
        names = list(self.texts)
        return torch.from_numpy(np.stack([self.texts[names[i]] for i in tokens[:, 0].tolist()]))

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.tensor([[list(self.texts).index(text)] for text in texts])


def encoder(images: Features, texts: Mapping[str, Features]) -> Encoder:
    """Return the encoder of a model with these features of images, by number, and of texts."""
    model = Lookup(images, texts, scale=10.0)
    return Encoder(model, model.tokenize, torch.device("cpu"))


def numbered_images(count: int, first: int = 0) -> np.ndarray:
    """Return images whose features are those of the rows from `first` on."""
    images = np.zeros((count, 2, 2, 3), dtype=np.uint8)
    images[..., 0] = first + np.arange(count)[:, None, None]
    return images
