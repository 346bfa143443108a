"""Forward FLOPs of one sample, counted while a procedure computes its losses without any data.

FLOPs are 2 × multiply-accumulates of matrix products and convolutions, attention's own included;
nothing is added for the backward pass.
"""

import logging

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from training.data.loader import Batch
from training.data.normalize import Normalizer
from training.distributed import World
from training.procedure import Procedure
from training.samples import Passage, Samples

log = logging.getLogger(__name__)

NOWHERE = torch.device("meta")
"""Tensors there have shapes and no content."""


def gflops_per_sample(procedure: Procedure) -> float | None:
    """Return 1e9 forward FLOPs of one image with a text of full length.

    None for a procedure that looks at the numbers that it computes.
    """
    side = procedure.image_size
    batch = Batch(torch.empty(1, side, side, 3, dtype=torch.uint8), procedure.tokenizer()([""]))
    samples = Samples(batch, NOWHERE, (0, 0, 0), Passage(cuts_padding=False), Normalizer())
    with NOWHERE:
        model = procedure.build(0).eval()  # in which no patch is dropped
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        try:
            procedure.losses(model, samples, World())
        except (NotImplementedError, RuntimeError) as error:
            log.warning("FLOPs of %s cannot be counted: %s", type(procedure).__name__, error)
            return None
    flops: int = counter.get_total_flops()
    return flops / 1e9
