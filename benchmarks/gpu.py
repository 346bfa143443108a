"""Training on one GPU beside open_clip's trainer: `python -m benchmarks.gpu > FILE`.

Prints one JSON object with the machine, the versions and the date, for `benchmarks/results/`. Both
trainers read the same shards in bf16, with the same batch and the same number of workers, in turns; a
rate leaves the first step out. `utilization` is the share of the GPU's peak that ours reaches,
`memory_gib` the most that it held, `data_wait` the share of time in which it waited for data;
`synthetic` is the same on one batch that stays on the GPU, without loading. On a machine without a GPU,
`--device cpu --models ViT-S-32-alt --batch 8 --steps 8 --precision fp32` shows that it works.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.captioned import write_shards
from benchmarks.components import components
from benchmarks.openclip import Task
from benchmarks.speed import last_moment, rates
from conf.schema import ModelConfig, Precision

BATCHES = {"ViT-B-32": 512, "ViT-B-16": 256, "ViT-L-14": 128}
"""What fits into 80 GB for both trainers, without activation checkpointing."""

LEAST_RATIO = {"ViT-B-32": 1.3}
LEAST_UTILIZATION = {"ViT-L-14": 0.5}
SAMPLES_PER_SHARD, NUM_SHARDS, SIDE = 500, 10, 256


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=list(BATCHES))
    parser.add_argument("--batch", type=int, help="of every model; default: " + str(BATCHES))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 2))
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU here; --device cpu --models ViT-S-32-alt … tries it without")
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name:
        folder = Path(name)
        shards = write_shards(
            folder / "data", num_shards=NUM_SHARDS, per_shard=SAMPLES_PER_SHARD, side=SIDE
        )
        models = {model: measured(model, shards, folder / model, given) for model in given.models}
    print(json.dumps({**machine(given.device), "models": models}))


def measured(model: str, shards: str, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Return what both trainers reach with one model."""
    batch = given.batch or BATCHES[model]
    task = Task(
        model=model,
        shards=shards,
        num_samples=batch * given.steps,
        batch_size=batch,
        device=given.device,
        precision=given.precision,
        workers=given.workers,
    )
    found = rates(task, folder, given.repeat)
    synthetic = components(
        ModelConfig(name=model),
        shards,
        batch_size=batch,
        repeat=given.steps,
        precision=Precision(given.precision),
    )
    last = last_moment(folder / f"isogrid-{given.repeat - 1}")
    utilization = last.flops_utilization
    bars = {}
    if model in LEAST_RATIO:
        bars["ratio"] = found["ratio"] >= LEAST_RATIO[model]
    if model in LEAST_UTILIZATION and utilization is not None:
        bars["utilization"] = utilization >= LEAST_UTILIZATION[model]
    return {
        **found,
        "synthetic": synthetic,
        "batch_size": batch,
        "utilization": utilization,
        "memory_gib": last.memory_gib,
        "data_wait": last.data_wait,
        "bars": bars,
    }


def machine(device: str) -> dict[str, Any]:
    """Return what was measured on, and when."""
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "cpu",
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("torch", "open_clip_torch")},
        "date": time.strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    main()
