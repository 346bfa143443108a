"""Rows of the results table for tests."""

from typing import Any

from evaluation.results.rows import Row


def row(**given: Any) -> Row:
    """Return a row; every field can be given."""
    defaults: dict[str, Any] = {
        "checkpoint": "s@640",
        "segment": "s",
        "eval": "zeroshot_classification",
        "eval_version": 1,
        "downstream_dataset": "shapes",
        "model": "M",
        "pretrain_dataset": "D",
        "samples_seen": 640,
        "samples_trained": 640,
        "steps": 10,
        "global_batch_size": 64,
        "lr": 1e-3,
        "warmup": 1,
        "lr_scheduler": "cosine",
        "seed": 0,
        "precision": "fp32",
        "gflops_per_sample": 0.5,
        "gflops_total": 320.0,
        "num_params": 1000,
        "train_s": 1.5,
        "gpu_hours": 0.0,
        "commit": "abc",
        "scored_at": 1.0,
        "metrics": {"acc1": 0.5},
    }
    return Row(**{**defaults, **given})
