"""Encoding pairs with open_clip's models of two towers, without padding where it does not count."""

from typing import Any

import torch
from torch.func import functional_call

from training.samples import Chunk, rounded_length

MOST_GROUPS = 8
LEAST_GROUP = {"cpu": 8, "cuda": 128}
"""Into so many groups texts are sorted by length, none of fewer texts: those would not keep it busy."""


def encode_pairs(model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, torch.Tensor]:
    """Return unit vectors of the images and of the texts of a micro-batch.

    Where each token sees only those before it, what lies behind the end of a text is left out: the
    features are the same. Texts of like length go through the model together, cut behind the longest.
    """
    if chunk.lengths.min() == chunk.tokens.shape[1] or not reads_short_texts(model):
        images, texts = model(chunk.images, chunk.tokens)[:2]
        return images, texts
    images = model(chunk.images)[0]
    order = chunk.lengths.argsort(stable=True)
    parts = [
        _encode_short(model, chunk.tokens[rows.to(chunk.tokens.device)], chunk.lengths[rows])
        for rows in order.tensor_split(_num_groups(len(order), images.device))
    ]
    return images, torch.cat(parts)[order.argsort().to(images.device)]


def _num_groups(num_texts: int, device: torch.device) -> int:
    return max(1, min(MOST_GROUPS, num_texts // LEAST_GROUP[device.type]))


def _encode_short(model: torch.nn.Module, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return the features of texts, of which no more columns are read than they need.

    open_clip 3.3.0 takes texts of full length only, so the position embeddings and the mask are lent to
    it cut.
    """
    length = rounded_length(lengths, tokens.shape[1])
    text: Any = getattr(model, "text", model)
    prefix = "text." if hasattr(model, "text") else ""
    lent = {
        f"{prefix}positional_embedding": text.positional_embedding[:length],
        f"{prefix}attn_mask": text.attn_mask[:length, :length],
    }
    features: torch.Tensor = functional_call(model, lent, (None, tokens[:, :length]))[1]
    return features


def reads_short_texts(model: torch.nn.Module) -> bool:
    """Return whether a text's features depend on nothing that stands behind its end."""
    text: Any = getattr(model, "text", model)
    is_causal = isinstance(getattr(text, "attn_mask", None), torch.Tensor)
    pooling = getattr(text, "pool_type", getattr(text, "text_pool_type", None))
    return is_causal and pooling in ("argmax", "eos") and getattr(text, "cls_emb", None) is None


def logit_scale(model: torch.nn.Module) -> torch.Tensor:
    """Return what a model multiplies dot products by."""
    scale = model.logit_scale
    assert isinstance(scale, torch.Tensor)
    return scale.exp()


def logits_shown(model: torch.nn.Module) -> dict[str, float]:
    """Return scale and, where there is one, bias of the logits."""
    names = ("logit_scale", "logit_bias")
    found = {name: getattr(model, name, None) for name in names}
    values = {name: one.detach() for name, one in found.items() if isinstance(one, torch.Tensor)}
    return {name: float(one.exp() if name == "logit_scale" else one) for name, one in values.items()}
