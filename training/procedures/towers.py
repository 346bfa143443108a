"""Encoding pairs with open_clip's models of two towers, without padding where it does not count."""

from typing import Any

import torch
from torch.func import functional_call

from training.samples import Chunk


def encode_pairs(model: torch.nn.Module, chunk: Chunk) -> tuple[torch.Tensor, torch.Tensor]:
    """Return unit vectors of the images and of the texts of a micro-batch.

    Where each token sees only those before it, what lies behind the last text is left out: the
    features are the same. open_clip 3.3.0 takes texts of full length only, so the position embeddings
    and the mask are lent to it cut.
    """
    length = chunk.text_length
    if length == chunk.tokens.shape[1] or not reads_short_texts(model):
        images, texts = model(chunk.images, chunk.tokens)[:2]
        return images, texts
    text: Any = getattr(model, "text", model)
    prefix = "text." if hasattr(model, "text") else ""
    lent = {
        f"{prefix}positional_embedding": text.positional_embedding[:length],
        f"{prefix}attn_mask": text.attn_mask[:length, :length],
    }
    arguments = (chunk.images, chunk.tokens[:, :length])
    images, texts = functional_call(model, lent, arguments)[:2]
    return images, texts


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
