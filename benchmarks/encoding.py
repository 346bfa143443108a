"""Encoding a decoded test set on a GPU: `python -m benchmarks.encoding > FILE`.

Prints one JSON object with the machine, the versions and the date, for `benchmarks/results/`. Images
per second of an `Encoder` that reads a set from a memory-mapped file, as a scoring process does, and
those of the same model on one batch that stays on the GPU, in turns; `share` is the one over the other.
`by_batch` is what the model reaches alone with other numbers of images a batch. On a machine without a
GPU, `--models ViT-S-32-alt --images 256 --precisions fp32` shows that it works.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bars import at_least
from benchmarks.gpu import machine
from conf.schema import ModelConfig, Precision, ProcedureConfig
from evaluation.encoding.encoder import Encoder, encoder_of
from evaluation.encoding.stream import BATCH
from evaluation.sets.testset import TestSet
from training.data.normalize import Normalizer
from training.distributed import World
from training.precision import casting, use_precision
from training.procedure import Procedure, make_procedure

MODELS = ["ViT-B-32", "ViT-L-14"]
CLIP = "training.procedures.clip.Clip"
LEAST_SHARE = 0.9
OTHER_BATCHES = (64, 1024)

Mapped = np.memmap[Any, np.dtype[np.uint8]]


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--precisions", nargs="+", default=[one.value for one in Precision])
    parser.add_argument("--images", type=int, default=8192)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name:
        for model in given.models:
            procedure = make_procedure(ProcedureConfig(_target_=CLIP), ModelConfig(name=model))
            built = procedure.build(0).to(World().device).eval()
            side = procedure.image_size
            pixels = _random_pixels(Path(name) / str(side), given.images, side)
            found[model] = {
                one: measured(procedure, built, pixels, Precision(one), given.repeat)
                for one in given.precisions
            }
    bars = [
        at_least(f"{model} in {precision}, share", numbers["share"], LEAST_SHARE)
        for model, by_precision in found.items()
        for precision, numbers in by_precision.items()
    ]
    print(json.dumps({**machine(World().device.type), "batch": BATCH, "models": found, "bars": bars}))


def measured(
    procedure: Procedure, built: torch.nn.Module, pixels: Mapped, precision: Precision, repeat: int
) -> dict[str, Any]:
    """Return the speed of one model from a file and alone."""
    num_batches = -(-len(pixels) // BATCH)
    alone, cached = list[float](), list[float]()
    for _ in range(1 + repeat):
        encoder = encoder_of(procedure, built, precision)
        alone.append(
            num_batches * BATCH / _seconds(_alone(built, pixels, precision, BATCH, num_batches))
        )
        cached.append(len(pixels) / _seconds(_from_file(encoder, pixels)))
    own, ours = statistics.median(alone[1:]), statistics.median(cached[1:])
    return {
        "images_per_s": round(ours),
        "alone_images_per_s": round(own),
        "share": round(ours / own, 3),
        "by_batch": {
            size: round(4 * size / _seconds(_alone(built, pixels, precision, size, 4)))
            for size in OTHER_BATCHES
            if size <= len(pixels)
        },
    }


def _random_pixels(path: Path, num_images: int, side: int) -> Mapped:
    shape = (num_images, side, side, 3)
    if not path.exists():
        pixels = np.memmap(path, dtype=np.uint8, mode="w+", shape=shape)
        random = np.random.default_rng(0)
        for first in range(0, num_images, BATCH):
            part = pixels[first : first + BATCH]
            part[:] = random.integers(0, 256, part.shape, dtype=np.uint8)
    return np.memmap(path, dtype=np.uint8, mode="c", shape=shape)


def _from_file(encoder: Encoder, pixels: Mapped) -> Callable[[], object]:
    data = TestSet(images=pixels, digests=np.arange(len(pixels), dtype=np.uint64))
    return lambda: encoder.images(data)


def _alone(
    model: Any,
    pixels: Mapped,
    precision: Precision,
    size: int,
    num_batches: int,
) -> Callable[[], object]:
    """Return what encodes a batch that is there so many times, after it did so once."""
    device = World().device
    use_precision(precision)
    batch = Normalizer()(torch.from_numpy(pixels[:size]).to(device))

    @torch.inference_mode()
    def encode(times: int) -> None:
        with casting(device, precision):
            for _ in range(times):
                model.encode_image(batch, normalize=True)

    encode(1)
    return lambda: encode(num_batches)


def _seconds(work: Callable[[], object]) -> float:
    """Return how long it takes until a GPU is done with it, too."""
    _wait()
    began = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - began


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
