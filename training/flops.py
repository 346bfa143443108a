"""Forward FLOPs and parameters of CLIP's transformer towers, from a model config.

FLOPs are 2 × multiply-accumulates of one image and one text, matrix products only, attention's own
products included; nothing is added for the backward pass.
"""

from typing import Any

DEFAULT_HEAD_WIDTH = 64


def gflops_per_sample(config: dict[str, Any]) -> float | None:
    """Return 1e9 forward FLOPs of one image and one text; None where a tower is no plain transformer.

    Args:
        config: open_clip's model config.
    """
    vision, text = config["vision_cfg"], config["text_cfg"]
    if "timm_model_name" in vision or "hf_model_name" in text or not isinstance(vision["layers"], int):
        return None
    embed = config["embed_dim"]
    macs = _image_macs(vision, embed) + _text_macs(text, embed)
    return 2 * macs / 1e9


def _image_macs(vision: dict[str, Any], embed: int) -> int:
    width, patch = int(vision["width"]), int(vision["patch_size"])
    patches = (int(vision["image_size"]) // patch) ** 2
    stem = patches * 3 * patch * patch * width
    tower = _tower_macs(patches + 1, width, vision["layers"], vision.get("mlp_ratio", 4.0))
    return stem + tower + width * embed


def _text_macs(text: dict[str, Any], embed: int) -> int:
    tokens, width = int(text.get("context_length", 77)), int(text["width"])
    return _tower_macs(tokens, width, text["layers"], text.get("mlp_ratio", 4.0)) + width * embed


def _tower_macs(tokens: int, width: int, layers: int, mlp_ratio: float) -> int:
    """Return MACs of a transformer: projections and MLP a token, attention a pair of tokens."""
    projections = 4 * width * width
    mlp = 2 * width * round(width * mlp_ratio)
    attention = 2 * tokens * width
    return layers * tokens * (projections + mlp + attention)
