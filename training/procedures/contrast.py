"""Contrasts of images with texts, taken over the samples of all ranks: open_clip's losses."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.distributed import World
from training.openclip import open_clip


def softmax_contrast(
    images: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor, world: World
) -> torch.Tensor:
    """Return CLIP's symmetric cross-entropy (Radford et al. 2021, arXiv:2103.00020).

    Args:
        images: unit vectors of this rank's images, shape (n, embedding).
        texts: of its texts.
        scale: factor of the dot products.
        world: all ranks; the mean of what they return is the loss of all their samples.
    """
    loss = open_clip.ClipLoss(
        local_loss=True, gather_with_grad=True, rank=world.rank, world_size=world.size
    )
    with _gathering():
        result: torch.Tensor = loss(images, texts, scale)
    return result


def sigmoid_contrast(
    images: torch.Tensor,
    texts: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor,
    world: World,
) -> torch.Tensor:
    """Return SigLIP's binary cross-entropy of all pairs (Zhai et al. 2023, arXiv:2303.15343).

    Args:
        images: as `softmax_contrast`.
        texts: likewise.
        scale: likewise.
        bias: added to the scaled dot products.
        world: likewise.
    """
    loss = open_clip.loss.SigLipLoss(rank=world.rank, world_size=world.size, dist_impl="gather")
    with _gathering():
        result: torch.Tensor = loss(images, texts, scale, bias)
    return result


@contextmanager
def _gathering() -> Iterator[None]:
    """Let open_clip 3.3.0 gather through a function that torch 2.13 calls deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed.nn", FutureWarning)
        yield
