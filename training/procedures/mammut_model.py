"""MaMMUT's model: an image tower, and one decoder for both of its passes over a text.

It has the weights, by name, of https://github.com/LAION-AI/open_clip_mammut, and computes the same.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch

from training.openclip import open_clip

Block = open_clip.transformer.ResidualAttentionBlock


class MammutModel(torch.nn.Module):
    """Features of images and texts, and logits of captions.

    Args:
        config: open_clip's form; `text_cfg` has two more fields. After every `cross_attn_ratio`-th
            block of the decoder comes one that attends to the image; `has_mlp` false: the former has
            no MLP then, because the latter has one.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        vision, text = config["vision_cfg"], config["text_cfg"]
        if text["width"] != config["embed_dim"]:
            raise ValueError(f"text width {text['width']} is not embed_dim {config['embed_dim']}")
        self.text = Decoder(text)
        self.visual = ImageTower(vision, config["embed_dim"])
        self.map_viz2txt_kv = torch.nn.Parameter(torch.randn(vision["width"], text["width"]))
        self.logit_scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(
        self, images: torch.Tensor, tokens: torch.Tensor, text_length: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return features of images and of texts, and the logits of the captions' next tokens.

        Args:
            images: shape (n, 3, side, side).
            tokens: shape (n, context length).
            text_length: so many columns of `tokens` hold text.
        """
        features, image_tokens = self.visual(images)
        logits = self.text.next_tokens(tokens[:, : text_length - 1], image_tokens @ self.map_viz2txt_kv)
        return _unit(features), self.encode_text(tokens, normalize=True), logits

    def encode_image(self, images: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        """Return features of images, shape (n, embedding)."""
        features: torch.Tensor = self.visual(images)[0]
        return _unit(features) if normalize else features

    def encode_text(self, tokens: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        """Return features of texts, shape (n, embedding): means over all positions, padding too."""
        features = self.text(tokens, None).mean(dim=1)
        return _unit(features) if normalize else features


class ImageTower(open_clip.transformer.VisionTransformer):  # type: ignore[misc]
    """open_clip's transformer, pooled over all tokens; they come out as they were before that."""

    def __init__(self, vision: Mapping[str, Any], embedding: int) -> None:
        super().__init__(
            image_size=vision["image_size"],
            patch_size=vision["patch_size"],
            width=vision["width"],
            layers=vision["layers"],
            heads=vision["width"] // vision.get("head_width", 64),
            mlp_ratio=vision.get("mlp_ratio", 4.0),
            patch_dropout=vision.get("patch_dropout", 0.0),
            output_dim=embedding,
            final_ln_after_pool=True,
            output_tokens=True,
        )

    def _global_pool(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.mean(dim=1), x


class Decoder(torch.nn.Module):
    """Reads a text from both sides when alone, and from left to right beside an image."""

    def __init__(self, text: Mapping[str, Any]) -> None:
        super().__init__()
        width, heads, ratio = text["width"], text["heads"], text.get("mlp_ratio", 4.0)
        self._every = text["cross_attn_ratio"]
        crossed = range(0, text["layers"], self._every)
        plain = Block if text["has_mlp"] else AttentionBlock
        self.token_embedding = torch.nn.Embedding(text["vocab_size"], width)
        self.positional_embedding = torch.nn.Parameter(torch.empty(text["context_length"], width))
        self.resblocks = torch.nn.ModuleList(
            (plain if layer in crossed else Block)(width, heads, ratio)
            for layer in range(text["layers"])
        )
        self.cross_attn = torch.nn.ModuleList(
            Block(width, heads, ratio, is_cross_attention=True) for _ in crossed
        )
        self.ln_final = open_clip.transformer.LayerNorm(width)
        self.text_projection = torch.nn.Parameter(torch.zeros(width, text["vocab_size"]))
        torch.nn.init.normal_(self.token_embedding.weight, std=0.02)
        torch.nn.init.normal_(self.positional_embedding, std=0.01)

    def forward(self, tokens: torch.Tensor, image_tokens: torch.Tensor | None) -> torch.Tensor:
        """Return what stands at each position at the end, shape (n, length, width)."""
        length = tokens.shape[1]
        x = self.token_embedding(tokens) + self.positional_embedding[:length]
        mask = None if image_tokens is None else _causal(length, x.device)
        for layer, block in enumerate(self.resblocks):
            x = block(x, attn_mask=mask)
            if image_tokens is not None and layer % self._every == 0:
                cross = self.cross_attn[layer // self._every]
                x = cross(x, k_x=image_tokens, v_x=image_tokens)
        result: torch.Tensor = self.ln_final(x)
        return result

    def next_tokens(self, tokens: torch.Tensor, image_tokens: torch.Tensor) -> torch.Tensor:
        """Return logits of the token behind each one, shape (n, length, vocabulary)."""
        logits: torch.Tensor = self(tokens, image_tokens) @ self.text_projection
        return logits


class AttentionBlock(Block):  # type: ignore[misc, valid-type]
    """A block of open_clip's without its MLP."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__(width, heads, mlp_ratio)
        del self.ln_2, self.mlp, self.ls_2

    def forward(self, x: torch.Tensor, attn_mask: torch.Tensor | None) -> torch.Tensor:
        """Return x and what each position learns of the others."""
        result: torch.Tensor = x + self.attention(q_x=self.ln_1(x), attn_mask=attn_mask)
        return result


def _causal(length: int, device: torch.device) -> torch.Tensor:
    return torch.full((length, length), -math.inf, device=device).triu(1)


def _unit(features: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(features, dim=-1)
