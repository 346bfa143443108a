"""Train a segment: data order, model, loop, checkpoints, metrics. Knows nothing of the launcher."""
