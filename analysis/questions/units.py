"""Units of columns, in our table and in published ones."""

UNITS = {
    "gflops_total": "GFLOPs",
    "gflops_per_sample": "GFLOPs",
    "gmacs_total": "GMACs",
    "gmacs": "GMACs",
    "samples_seen": "samples",
    "total_samples_seen": "samples",
    "num_params": "parameters",
    "contrastive_loss": "nats",
}


def unit(column: str) -> str:
    """Return the unit of a column behind a space, or nothing where it is not known."""
    return f" {UNITS[column]}" if column in UNITS else ""
