"""Our data pipeline beside open_clip's: `python -m benchmarks.pipeline`. Prints one JSON object.

Both load the same shards of 256² JPEGs into normalised batches of 64 images of 224² with tokens, each
in a process of its own, in turns; figures are medians. `worker_s` is the processor time of the loading
processes, `main_s` that of the one that takes the batches. Then: pixels against Pillow and against the
definition of the resize, the first look-up in an index of 231,000 shards, and what making one takes.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.captioned import write_shards
from benchmarks.loading import loading, result_of
from benchmarks.lookup import write_index
from tests.training.data.bicubic import resized
from training.data.decode import decode
from training.data.images import resize
from training.data.indexing import Origin, index_in_memory, make_index
from training.data.patterns import expand_shards
from training.data.reader import ShardReader

NUM_SHARDS, PER_SHARD, SIDE, TAKEN = 8, 256, 256, 224
PIXEL_SAMPLES = 64


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=4096, help="a multiple of 128")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name:
        folder = Path(name)
        pattern = write_shards(folder / "photos", num_shards=NUM_SHARDS, per_shard=PER_SHARD, side=SIDE)
        rates = {
            workers: loading(
                pattern, samples=given.samples, workers=workers, side=TAKEN, repeat=given.repeat
            )
            for workers in (1, 2)
        }
        pixels, walk_ms = _pixels(pattern), _walk_ms(folder, pattern)
        lookup = _lookup(folder / "big.index", given.repeat)
    print(
        json.dumps(
            {
                "machine": {"cores": os.cpu_count(), "load": [load_before, os.getloadavg()[0]]},
                "versions": {n: version(n) for n in ("torch", "simplejpeg", "pillow", "numpy")},
                "loading": rates,
                "pixels": pixels,
                "lookup": lookup,
                "index_ms_per_1000_samples": walk_ms,
                "bars": _bars(rates, pixels, lookup),
            }
        )
    )


def _pixels(pattern: str) -> dict[str, float]:
    """Compare decoding with Pillow's, and resizing with its definition."""
    index = index_in_memory([Path(name) for name in expand_shards(pattern)[:1]])
    contents = [ShardReader(index).read(0, n)["jpg"] for n in range(PIXEL_SAMPLES)]
    images = [decode(content) for content in contents]
    same = [
        np.array_equal(image, np.asarray(Image.open(BytesIO(content)).convert("RGB")))
        for image, content in zip(images, contents, strict=True)
    ]
    levels = np.stack([np.abs(resize(i, 224, 224).astype(int) - resized(i, 224, 224)) for i in images])
    return {
        "decoded_as_pillow_does": sum(same) / len(same),
        "resize_most_levels": int(levels.max()),
        "resize_within_one_level": float((levels <= 1).mean()),
    }


def _lookup(file: Path, repeat: int) -> dict[str, float]:
    """Return medians of look-ups in an index that is not in memory."""
    runs = []
    for _ in range(repeat):
        write_index(file)
        runs.append(result_of([sys.executable, "-m", "benchmarks.lookup"], [str(file)]))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def _walk_ms(folder: Path, pattern: str) -> float:
    """Return what 1,000 samples take to be indexed by one process."""
    began = time.perf_counter()
    make_index(folder / "photos.index", Origin(paths=tuple(expand_shards(pattern))))
    return round(1e6 * (time.perf_counter() - began) / (NUM_SHARDS * PER_SHARD), 1)


def _bars(
    rates: dict[int, dict[str, dict[str, float]]],
    pixels: dict[str, float],
    lookup: dict[str, float],
) -> list[dict[str, Any]]:
    """Return what is promised, and whether it is met."""

    def ratio(workers: int, rate: str) -> float:
        both = rates[workers]
        return round(both["isogrid"][rate] / both["open_clip"][rate], 2)

    least = [
        ("images per worker-CPU-second, 1 worker, ratio", ratio(1, "per_worker_s"), 3.0),
        ("images per second, 1 worker, ratio", ratio(1, "per_s"), 2.8),
        ("images per second, 2 workers, ratio", ratio(2, "per_s"), 2.2),
        ("decoded as Pillow does, share", pixels["decoded_as_pillow_does"], 1.0),
        ("resized within one grey level, share", pixels["resize_within_one_level"], 0.999),
    ]
    most = [
        ("resize, grey levels", pixels["resize_most_levels"], 2),
        ("first look-up at 231,000 shards, ms", lookup["first_ms"], 50),
    ]
    return [
        *({"name": n, "value": v, "at_least": limit, "met": v >= limit} for n, v, limit in least),
        *({"name": n, "value": v, "at_most": limit, "met": v <= limit} for n, v, limit in most),
    ]


if __name__ == "__main__":
    main()
