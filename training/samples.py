"""What one rank trains in one step, and how it goes through the model: in micro-batches.

A loss that takes samples together, as a contrast does, needs the features of all of them at once, but
not what lies between. So each micro-batch is encoded, what lies between is dropped, and the backward
pass encodes it once more: the gradient is that of the whole batch, in the memory of a micro-batch
(GradCache: Gao et al. 2021, arXiv:2101.06983). Random numbers are seeded by (seed, step, rank,
micro-batch), so the second time the same patches and units are dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from conf.schema import Precision
from training.data.loader import Batch
from training.data.normalize import Normalizer
from training.precision import casting

PADDING = 0
"""What open_clip's tokenizer writes behind the end of a text."""

LENGTH_MULTIPLE = 8
"""Text is cut to multiples of this length: matrix units like them, and there are fewer shapes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """A micro-batch.

    `images`: normalised, shape (samples, 3, side, side). `tokens`: shape (samples, context length).
    `lengths`: of each text, as many of its tokens as count, shape (samples,), on the CPU.
    """

    images: torch.Tensor
    tokens: torch.Tensor
    lengths: torch.Tensor

    @property
    def text_length(self) -> int:
        """How many columns of `tokens` hold all texts, rounded up to a multiple of 8."""
        return rounded_length(self.lengths, self.tokens.shape[1])


Encode = Callable[[Chunk], tuple[torch.Tensor, ...]]
"""Makes tensors of a micro-batch whose first dimension are its samples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """How samples go through a model, for a whole run.

    `accumulation`: number of micro-batches a step. `cuts_padding`: whether columns of tokens that hold
    padding only may be left out. `precision`: of the matrix products.
    """

    accumulation: int = 1
    cuts_padding: bool = True
    precision: Precision = Precision.fp32


class Samples:
    """The samples of one rank in one step.

    Args:
        batch: the samples as they were loaded.
        device: where the model is.
        seed: of everything random in this step on this rank: (seed of the run, step, rank).
        passage: how they go through the model.
        normalize: makes numbers of pixels, in memory that one set of samples uses at a time.
    """

    def __init__(
        self,
        batch: Batch,
        device: torch.device,
        seed: tuple[int, int, int],
        passage: Passage,
        normalize: Normalizer,
    ) -> None:
        self._batch, self._device, self._seed, self._passage = batch, device, seed, passage
        self._normalize = normalize
        self._made: tuple[int, Chunk] | None = None

    def __len__(self) -> int:
        return len(self._batch.tokens)

    def through(self, encode: Encode) -> tuple[torch.Tensor, ...]:
        """Return what `encode` makes of all micro-batches, joined and in fp32.

        In `encode` the run's precision holds. It is called once more in the backward pass where there
        are several micro-batches, and then has to do the same again.
        """
        count = self._passage.accumulation
        if count == 1:
            return self._encoded(encode, 0)
        parts = [
            checkpoint(self._encoded, encode, number, use_reentrant=False, preserve_rng_state=False)
            for number in range(count)
        ]
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    def _encoded(self, encode: Encode, number: int) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(_mixed((*self._seed, number)))
        with casting(self._device, self._passage.precision):
            outputs = encode(self._chunk(number))
        return tuple(one.float() if one.is_floating_point() else one for one in outputs)

    def _chunk(self, number: int) -> Chunk:
        if self._made is None or self._made[0] != number:
            self._made = (number, self._make_chunk(number))
        return self._made[1]

    def _make_chunk(self, number: int) -> Chunk:
        size = len(self) // self._passage.accumulation
        rows = slice(number * size, (number + 1) * size)
        tokens = self._batch.tokens[rows]
        return Chunk(
            images=self._normalize(self._batch.images[rows].to(self._device, non_blocking=True)),
            tokens=tokens.to(self._device, non_blocking=True),
            lengths=text_lengths(tokens) if self._passage.cuts_padding else full_lengths(tokens),
        )


def text_lengths(tokens: torch.Tensor) -> torch.Tensor:
    """Return how many columns each text needs, shape (texts,); tokens have shape (texts, columns)."""
    columns = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    return (tokens.ne(PADDING) * columns).amax(dim=1).clamp(min=1).cpu()


def full_lengths(tokens: torch.Tensor) -> torch.Tensor:
    """Return the length of texts whose padding counts, shape (texts,)."""
    return torch.full((len(tokens),), tokens.shape[1])


def rounded_length(lengths: torch.Tensor, columns: int) -> int:
    """Return the largest of some lengths, rounded up to a multiple of 8, at most `columns`."""
    return min(-(-int(lengths.max()) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE, columns)


def _mixed(numbers: tuple[int, ...]) -> int:
    """Return one seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
