"""The first look-up after a cold resume in an index of LAION-2B's size: FILE. Prints one JSON object.

`write_index` makes such an index: its samples are a hole in the file, its table is real.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from conf.schema import OrderConfig
from training.data.index import HEAD_BYTES, MARK, SAMPLE_BYTES, TAIL, open_index
from training.data.order import SampleOrder

NUM_SHARDS, PER_SHARD, SPREAD = 231_000, 7_800, 400
GLOBAL_BATCH, ROWS = 32_768, 64
POSITION = 3_000_000 * ROWS
PATH = "/scratch/laion-2B/{:06d}.tar"


def write_index(file: Path) -> None:
    """Write the index of 231,000 shards with about 1.8e9 samples, and drop it from memory."""
    sizes = PER_SHARD + np.random.default_rng(0).integers(-SPREAD, SPREAD, NUM_SHARDS)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    paths = [PATH.format(shard).encode() for shard in range(NUM_SHARDS)]
    path_ends = np.cumsum([*map(len, paths), 0])
    offsets = HEAD_BYTES + starts * SAMPLE_BYTES
    table = np.stack([starts, offsets, 0 * starts, 0 * starts, path_ends])
    begin = HEAD_BYTES + int(starts[-1]) * SAMPLE_BYTES
    with file.open("wb") as out:
        out.seek(begin)
        out.write(table.tobytes() + b"".join(paths))
        out.write(TAIL.pack(begin, NUM_SHARDS, begin + table.nbytes, MARK))
        out.flush()
        os.fsync(out.fileno())
        os.posix_fadvise(out.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    """Find where the samples of one rank's batch lie, then of the next ones."""
    memory = psutil.Process().memory_info().rss
    began = time.perf_counter()
    index = open_index(Path(sys.argv[1]))
    assert index is not None
    order = SampleOrder(
        [index.sizes],
        [1.0],
        global_batch_size=GLOBAL_BATCH,
        seed=0,
        config=OrderConfig(),
        resampled=True,
    )

    def look_up(first: int) -> int:
        places = order.locate(np.arange(first, first + ROWS))
        return sum(index.place(shard, sample)[1] for _, shard, sample in places)

    look_up(POSITION)
    first_s = time.perf_counter() - began
    for step in range(1, 101):
        look_up(POSITION + step * GLOBAL_BATCH)
    later_s = (time.perf_counter() - began - first_s) / 100
    found = {
        "shards": index.num_shards,
        "samples": index.num_samples,
        "first_ms": 1e3 * first_s,
        "later_ms": 1e3 * later_s,
        "bytes_per_sample": index.nbytes / index.num_samples,
        "memory_mib": (psutil.Process().memory_info().rss - memory) / 2**20,
    }
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
