"""How many parameters a model has: counted from its config, or published under its name. No torch."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from conf.schema import ModelConfig
from sweeps.folders import CONF

VOCABULARY, CONTEXT = 49408, 77
"""open_clip's defaults for the text tower."""


def num_parameters(model: ModelConfig) -> int | None:
    """Return the parameters of both towers; None for a model that is neither spelled out nor known."""
    if model.config is not None:
        return clip_parameters(sized(model.config, model))
    millions = published_mparams().get(model.name)
    return None if millions is None else round(millions * 1e6)


def sized(config: Mapping[str, Any], model: ModelConfig) -> dict[str, Any]:
    """Return open_clip's model config with the sizes that `model` sets."""
    image = _given({"image_size": model.image_size, "patch_dropout": model.patch_dropout})
    text = _given({"context_length": model.context_length})
    changes = {"vision_cfg": image, "text_cfg": text}
    changed = {tower: {**config[tower], **given} for tower, given in changes.items() if given}
    return {**config, **changed}


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


@functools.cache
def published_mparams(path: Path = CONF / "parameters.yaml") -> dict[str, float]:
    """Return millions of parameters by open_clip's name."""
    return msgspec.yaml.decode(path.read_bytes(), type=dict[str, float])


def clip_parameters(config: Mapping[str, Any]) -> int | None:
    """Return the parameters of a CLIP of two plain transformers; None where a tower is something else.

    Args:
        config: open_clip's model config.
    """
    if not _is_plain(config):
        return None
    vision, text = config["vision_cfg"], config["text_cfg"]
    embed = int(config["embed_dim"])
    logit_scale = 1
    return _image_tower(vision, embed) + _text_tower(text, embed) + logit_scale


def _is_plain(config: Mapping[str, Any]) -> bool:
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    others = {"timm_model_name", "hf_model_name", "attentional_pool", "embed_cls", "cross_attn_ratio"}
    return isinstance(vision.get("layers"), int) and "width" in text and not others & {*vision, *text}


def _image_tower(vision: Mapping[str, Any], embed: int) -> int:
    width, patch = int(vision["width"]), int(vision["patch_size"])
    patches = (int(vision.get("image_size", 224)) // patch) ** 2
    stem = 3 * patch * patch * width + width + (patches + 1) * width
    norms = 2 * _norm(width)
    return stem + norms + _blocks(vision, width) + width * embed


def _text_tower(text: Mapping[str, Any], embed: int) -> int:
    width = int(text["width"])
    vocabulary = int(text.get("vocab_size", VOCABULARY))
    positions = int(text.get("context_length", CONTEXT))
    return (vocabulary + positions) * width + _blocks(text, width) + _norm(width) + width * embed


def _blocks(tower: Mapping[str, Any], width: int) -> int:
    """Return the parameters of all transformer blocks: attention, MLP and two norms each."""
    hidden = round(width * float(tower.get("mlp_ratio", 4.0)))
    attention = 4 * (width * width + width)
    mlp = 2 * width * hidden + hidden + width
    return int(tower["layers"]) * (attention + mlp + 2 * _norm(width))


def _norm(width: int) -> int:
    return 2 * width
