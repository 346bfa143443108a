"""open_clip's data pipeline alone: REMEDY PATTERN SAMPLES WORKERS SIDE. Prints one JSON object.

REMEDY is the file that makes torchvision importable beside a torch without CUDA.
"""

import gc
import json
import resource
import runpy
import sys
import time
from argparse import Namespace

BATCH = 64

if __name__ == "__main__":
    remedy, pattern, samples, workers, side = sys.argv[1:]
    runpy.run_path(remedy)["import_torchvision"]()

    import open_clip
    from open_clip_train.data import get_wds_dataset

    given = Namespace(
        train_data=pattern,
        val_data=None,
        train_num_samples=int(samples),
        train_data_upsampling_factors=None,
        dataset_resampled=True,
        seed=0,
        batch_size=BATCH,
        workers=int(workers),
        world_size=1,
    )
    data = get_wds_dataset(
        given,
        open_clip.image_transform(int(side), is_train=True),
        is_train=True,
        tokenizer=open_clip.get_tokenizer("ViT-S-32-alt"),
    )
    began, busy = time.perf_counter(), time.process_time()
    seen = sum(len(images) for images, _ in data.dataloader)
    wall_s, main_s = time.perf_counter() - began, time.process_time() - busy
    del data
    gc.collect()  # which ends the workers
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    worker_s = children.ru_utime + children.ru_stime
    print(json.dumps({"samples": seen, "wall_s": wall_s, "main_s": main_s, "worker_s": worker_s}))
