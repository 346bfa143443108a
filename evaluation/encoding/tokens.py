"""Tokens of texts, made once and kept for all checkpoints that have the same tokenizer."""

import torch

from training.model import Tokenizer


class Tokens:
    """A tokenizer that remembers: each text is taken apart once.

    Args:
        tokenizer: whose answers are kept.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._places: dict[str, int] = {}
        self._rows = torch.empty(0)

    def __call__(self, texts: list[str]) -> torch.Tensor:
        """Return token numbers, shape (texts, context length), int64."""
        new = [text for text in dict.fromkeys(texts) if text not in self._places]
        if new:
            made = self._tokenizer(new)
            self._rows = torch.cat([self._rows, made]) if self._places else made
            self._places.update(zip(new, range(len(self._places), len(self._rows)), strict=True))
        return self._rows[[self._places[text] for text in texts]]
