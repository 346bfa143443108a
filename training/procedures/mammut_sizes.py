"""The sizes of MaMMUT that were published: those of https://github.com/LAION-AI/open_clip_mammut."""

from dataclasses import replace
from typing import Any, NamedTuple

from conf.schema import ModelConfig
from sweeps.errors import UsageError, choices

PATCHES = (14, 16, 32)


class _Size(NamedTuple):
    """Widths and depths of the image tower and of the decoder; `has_mlp`: see `MammutModel`."""

    image_width: int
    image_layers: int
    head_width: int
    text_width: int
    text_layers: int
    has_mlp: bool


SIZES = {
    "S": _Size(384, 12, 64, 384, 12, has_mlp=False),
    "M": _Size(512, 12, 64, 512, 12, has_mlp=False),
    "B": _Size(768, 12, 64, 512, 12, has_mlp=False),
    "L": _Size(1024, 24, 64, 768, 12, has_mlp=True),
    "H": _Size(1280, 32, 80, 1024, 24, has_mlp=True),
}
EXCEPTIONS = {("B", 16): _Size(768, 12, 64, 768, 12, has_mlp=True)}


def published() -> dict[str, dict[str, Any]]:
    """Return the model configs by name."""
    return {
        f"mammut_ViT-{letter}-{patch}": _config(EXCEPTIONS.get((letter, patch), size), patch)
        for letter, size in SIZES.items()
        for patch in PATCHES
    }


def spelled_out(model: ModelConfig) -> ModelConfig:
    """Return a model with its config, which a published one has by its name.

    Raises:
        UsageError: no such size was published.
    """
    if model.config is not None:
        return model
    known = published()
    if model.name not in known:
        raise UsageError(f"no such size of MaMMUT: {model.name!r}. {choices(model.name, known)}")
    return replace(model, config=known[model.name])


def _config(size: _Size, patch: int) -> dict[str, Any]:
    return {
        "embed_dim": size.text_width,
        "vision_cfg": {
            "image_size": 224,
            "patch_size": patch,
            "width": size.image_width,
            "layers": size.image_layers,
            "head_width": size.head_width,
        },
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": size.text_width,
            "heads": size.text_width // 64,
            "layers": size.text_layers,
            "cross_attn_ratio": 2,
            "has_mlp": size.has_mlp,
        },
    }
