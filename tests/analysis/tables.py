"""Tables of runs around known laws."""

import numpy as np
import pandas as pd


def two_groups(num_runs: int = 9) -> pd.DataFrame:
    """Two data sets, one eval with an accuracy and one with a loss, each run with two checkpoints."""
    rows = []
    for data, alpha in (("clean", -0.4), ("noisy", -0.1)):
        for number, compute in enumerate(np.geomspace(10, 1000, num_runs)):
            for share in (0.5, 1.0):
                samples = int(640 * share) * (number + 1)
                shared = {
                    "checkpoint": f"{data}{number}@{samples}",
                    "run_id": f"{data}{number}",
                    "final": share == 1,
                    "model": f"M{number % 3}",
                    "samples_seen": samples,
                    "gflops_total": share * compute,
                    "pretrain_dataset": data,
                    "downstream_dataset": "shapes",
                }
                error = 0.9 * (share * compute) ** alpha
                rows.append({**shared, "eval": "zeroshot_classification", "acc1": 1 - error})
                rows.append({**shared, "eval": "contrastive_loss", "contrastive_loss": 3 * error})
    return pd.DataFrame(rows)
