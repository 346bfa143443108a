"""The loss of captions: cross-entropy of each token, given the image and the tokens before."""

import torch
from torch.nn.functional import cross_entropy

from training.distributed import World, sum_over_ranks
from training.samples import PADDING


def token_losses(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return for each caption the sum of its tokens' losses, and their number; padding is none.

    Args:
        logits: shape (captions, tokens, vocabulary).
        labels: the tokens that are right, shape (captions, tokens).
    """
    losses = cross_entropy(logits.transpose(1, 2), labels, ignore_index=PADDING, reduction="none")
    return losses.sum(dim=1), labels.ne(PADDING).sum(dim=1)


def caption_loss(sums: torch.Tensor, counts: torch.Tensor, world: World) -> torch.Tensor:
    """Return a rank's part of the mean loss of all tokens on all ranks.

    The mean over the ranks of these parts is that of all tokens, however they are spread.

    Args:
        sums: losses of this rank's captions.
        counts: numbers of their tokens.
        world: all ranks.
    """
    total = sum_over_ranks(counts.sum(), world).clamp(min=1)
    return sums.sum() * world.size / total
