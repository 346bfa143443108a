"""Our data pipeline alone: PATTERN SAMPLES WORKERS SIDE. Prints one JSON object."""

import json
import resource
import sys
import time
from pathlib import Path

import torch

from conf.schema import (
    DataConfig,
    ModelConfig,
    OptimConfig,
    ProcedureConfig,
    ResourceConfig,
    StageSchedule,
    TrainConfig,
)
from training.data.indexing import index_in_memory
from training.data.loader import StepDataset, batches
from training.data.normalize import Normalizer
from training.data.patterns import expand_shards
from training.distributed import World
from training.model import build_tokenizer

BATCH = 64


def main() -> None:
    """Load, normalise and count."""
    pattern, samples, workers, side = sys.argv[1:]
    torch.set_num_threads(ResourceConfig().threads_per_rank)
    model = ModelConfig(name="ViT-S-32-alt")
    train = TrainConfig(
        model=model,
        data=DataConfig(name="photos"),
        procedure=ProcedureConfig(_target_="(none)"),
        optim=OptimConfig(lr=1.0),
        schedule=StageSchedule(shape="constant"),
        global_batch_size=BATCH,
    )
    index = index_in_memory([Path(name) for name in expand_shards(pattern)])
    dataset = StepDataset(train, [index], build_tokenizer(model), int(side), World())
    normalize, steps = Normalizer(), range(int(samples) // BATCH)
    began, busy = time.perf_counter(), time.process_time()
    loaded = batches(dataset, steps, num_workers=int(workers), pin_memory=False)
    seen = sum(len(normalize(batch.images)) for batch in loaded)
    wall_s, main_s = time.perf_counter() - began, time.process_time() - busy
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    worker_s = children.ru_utime + children.ru_stime
    print(json.dumps({"samples": seen, "wall_s": wall_s, "main_s": main_s, "worker_s": worker_s}))


if __name__ == "__main__":
    main()
