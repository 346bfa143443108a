"""Arithmetic: what `precision` and `deterministic` mean to torch."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch

from conf.schema import Precision


def use_precision(precision: Precision) -> None:
    """Let this process compute fp32 products in full, or on a GPU in TF32 where that is asked for."""
    tf32 = precision is Precision.tf32
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32


def use_deterministic_algorithms() -> None:
    """Let this process compute what is equal to equal bits on a GPU, or fail; before it uses one.

    On a CPU all that is trained here does that anyway.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)


def casting(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Return a context in which products of a forward pass are rounded as `precision` asks for."""
    is_bf16 = precision is Precision.bf16
    return torch.autocast(device.type, torch.bfloat16) if is_bf16 else nullcontext()
