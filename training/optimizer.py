"""AdamW over two groups of parameters, one of them without weight decay."""

import math
from collections.abc import Iterable

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from conf.schema import OptimConfig
from training.sharding import is_sharded, whole

MOST_LOGIT_SCALE = math.log(100)
"""Upper bound of CLIP's learned log temperature (arXiv:2103.00020, section 2.5)."""


def make_optimizer(model: torch.nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """Return AdamW; vectors and scalars (biases, gains, the logit scale) are not decayed.

    The fused kernel is asked for always, on CPU and GPU: a kernel chosen by what is available would
    change the bits.
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    plain = [p for name, p in named if _is_plain(name, p)]
    decayed = [p for name, p in named if not _is_plain(name, p)]
    groups = [
        {"params": alike, "weight_decay": decay}
        for some, decay in ((plain, 0.0), (decayed, config.weight_decay))
        for alike in _by_sharding(some)
    ]
    return torch.optim.AdamW(
        groups,
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.eps,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Use `lr` in the next step."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def clip_gradients(model: torch.nn.Module, config: OptimConfig) -> torch.Tensor:
    """Return the norm of all gradients, and scale them down to `grad_clip_norm` where that is set."""
    kinds = _by_sharding([p for p in model.parameters() if p.grad is not None])
    norms = [get_total_norm([p.grad for p in alike if p.grad is not None]) for alike in kinds]
    norm = get_total_norm([whole(one) for one in norms])
    if config.grad_clip_norm is not None:
        for alike in kinds:
            clip_grads_with_norm_(alike, config.grad_clip_norm, norm)
    return norm


def clamp_logit_scale(model: torch.nn.Module) -> None:
    """Keep CLIP's temperature in its bounds."""
    scale = getattr(model, "logit_scale", None)
    if isinstance(scale, torch.Tensor):
        with torch.no_grad():
            scale.clamp_(0, MOST_LOGIT_SCALE)


def _by_sharding(parameters: Iterable[torch.nn.Parameter]) -> list[list[torch.nn.Parameter]]:
    """Return those that are whole and those that are sharded: no kernel takes both at once."""
    kinds: dict[bool, list[torch.nn.Parameter]] = {}
    for parameter in parameters:
        kinds.setdefault(is_sharded(parameter), []).append(parameter)
    return list(kinds.values())


def _is_plain(name: str, parameter: torch.nn.Parameter) -> bool:
    return parameter.ndim < 2 or name.endswith(("bias", "logit_scale"))
