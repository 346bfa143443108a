"""Models and tokenizers, from open_clip's names or from a model config in its JSON form."""

import copy
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from conf.schema import ModelConfig
from sweeps.costs.parameters import sized
from sweeps.errors import UsageError, choices
from sweeps.folders import CONF
from training.openclip import import_timm, open_clip

MALFORMED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What open_clip raises where a model's config is not as it must be."""


class Tokenizer(Protocol):
    """What open_clip's tokenizers have in common."""

    def __call__(self, texts: list[str]) -> torch.Tensor:
        """Return token numbers, shape (texts, context length), int64."""
        ...


def build_model(config: ModelConfig, *, seed: int, **given: float) -> torch.nn.Module:
    """Return a freshly initialised model in fp32 on torch's default device; equal seeds, equal weights.

    Args:
        config: which one of open_clip's.
        seed: of the weights.
        given: what open_clip's class of the model takes besides its config.

    Raises:
        UsageError: open_clip has no such model, or cannot make one of what is spelled out.
    """
    torch.manual_seed(seed)
    try:
        model = _created(config, **given)
    except MALFORMED as error:
        if config.config is None:
            raise
        raise UsageError(f"model.config of {config.name} describes no model: {error!r}") from error
    assert isinstance(model, torch.nn.Module)
    return model


def _created(config: ModelConfig, **given: float) -> Any:
    if "timm_model_name" in model_config(config)["vision_cfg"]:
        import_timm()
    return open_clip.create_model(
        config.name,
        pretrained_text=False,
        load_weights=False,
        force_image_size=config.image_size,
        force_context_length=config.context_length,
        force_patch_dropout=config.patch_dropout,
        device=torch.get_default_device(),
        **given,
    )


def fitted(weights: Mapping[str, torch.Tensor], model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return weights with their positions interpolated to the image size and context length of `model`.

    As in open_clip: bicubic on the grid of an image's patches, linear along a text.
    """
    adapted = dict(weights)
    open_clip.model.resize_pos_embed(adapted, model)
    open_clip.model.resize_text_pos_embed(adapted, model)
    return adapted


def build_tokenizer(config: ModelConfig) -> Tokenizer:
    """Return the model's tokenizer."""
    _register(config)
    tokenizer: Tokenizer = open_clip.get_tokenizer(config.name, context_length=config.context_length)
    return tokenizer


def model_config(config: ModelConfig) -> dict[str, Any]:
    """Return open_clip's description of a model.

    Raises:
        UsageError: open_clip has no model of this name.
    """
    _register(config)
    found = open_clip.get_model_config(config.name)
    if found is None:
        names = open_clip.list_models()
        raise UsageError(f"open_clip has no model {config.name!r}. {choices(config.name, names)}")
    return sized(found, config)


def image_size(config: ModelConfig) -> int:
    """Return the side of the square images that a model takes, in pixels."""
    size = model_config(config)["vision_cfg"]["image_size"]
    return int(size[0] if isinstance(size, (list, tuple)) else size)


def _register(config: ModelConfig) -> None:
    """Make a model that is spelled out known to open_clip under its name."""
    if config.config is None:
        return
    spelled_out = copy.deepcopy(config.config)
    tokenizer = spelled_out.get("text_cfg", {}).get("tokenizer_kwargs", {})
    if "bpe_path" in tokenizer:
        vocabulary = CONF / "model" / tokenizer["bpe_path"]
        if not vocabulary.is_file():
            raise UsageError(f"model.config of {config.name}: there is no vocabulary {vocabulary}")
        tokenizer["bpe_path"] = str(vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{config.name}.json"
        path.write_text(json.dumps(spelled_out))
        open_clip.add_model_config(path)
