"""What this rank's device can do at most, and how much memory was used on it."""

import resource

import torch

from conf.schema import Precision

TERA, GIB, KIB_PER_GIB = 1e12, 2**30, 2**20

PEAK_TFLOPS: tuple[tuple[str, dict[Precision, float]], ...] = (
    # NVIDIA data sheets, dense: half of what is given there "with sparsity".
    ("B200", {Precision.bf16: 2250}),
    ("GH200", {Precision.bf16: 989.4, Precision.tf32: 494.7, Precision.fp32: 66.9}),
    ("H200", {Precision.bf16: 989.4, Precision.tf32: 494.7, Precision.fp32: 66.9}),
    ("H100 PCIe", {Precision.bf16: 756, Precision.tf32: 378, Precision.fp32: 51}),
    ("H100", {Precision.bf16: 989.4, Precision.tf32: 494.7, Precision.fp32: 66.9}),
    ("A100", {Precision.bf16: 312, Precision.tf32: 156, Precision.fp32: 19.5}),
    ("A40", {Precision.bf16: 149.7, Precision.tf32: 74.8, Precision.fp32: 37.4}),
    ("L40S", {Precision.bf16: 362, Precision.tf32: 183, Precision.fp32: 91.6}),
    ("V100", {Precision.fp32: 15.7}),
    # AMD data sheets; a GPU is one of the two dies of an MI250X, as torch counts them.
    ("MI300X", {Precision.bf16: 1307.4, Precision.tf32: 653.7, Precision.fp32: 163.4}),
    ("MI250X", {Precision.bf16: 191.5, Precision.fp32: 47.9}),
)
"""Teraflops per second by a part of the device's name, the first that fits."""


def peak_flops(device: torch.device, precision: Precision) -> float | None:
    """Return the FLOPs per second that a device reaches at most; None for a CPU and an unknown GPU."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    known = next((peaks for part, peaks in PEAK_TFLOPS if part in name), {})
    return known[precision] * TERA if precision in known else None


def peak_memory_gib(device: torch.device) -> float:
    """Return the most memory held so far in GiB: of the GPU, or of this process where there is none."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / GIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_GIB
