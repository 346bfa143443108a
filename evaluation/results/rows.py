"""Rows of the results table, and what tells them apart. How they are kept: `results.store`."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from sweeps.errors import UsageError

OWN = "isogrid"
"""The source of rows that were measured here; others name where a published result comes from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Metrics of one eval on one checkpoint, with all that a fit needs to know of the checkpoint.

    The names are those of the published LAION tables where they have one. `gflops_per_sample`: forward,
    of one image and one text. `samples_trained` is `samples_seen` rounded up to whole steps. Of models
    that were not trained under a root, what is not known is None.
    """

    checkpoint: str
    segment: str | None = None
    eval: str
    eval_version: int
    downstream_dataset: str
    model: str
    pretrain_dataset: str | None = None
    samples_seen: int | None = None
    samples_trained: int | None = None
    steps: int | None = None
    global_batch_size: int | None = None
    lr: float | None = None
    warmup: int | None = None
    lr_scheduler: str | None = None
    seed: int | None = None
    precision: str | None = None
    gflops_per_sample: float | None = None
    gflops_total: float | None = None
    num_params: int | None = None
    train_s: float | None = None
    gpu_hours: float | None = None
    commit: str | None = None
    scored_at: float
    metrics: dict[str, float]
    source: str = OWN
    schema: int = 1


KEY = ("checkpoint", "eval", "downstream_dataset", "eval_version")
"""Columns that tell rows apart; of rows with equal ones the newest counts."""

Key = tuple[str, str, str, int]

TAKEN = {*(field.name for field in fields(Row)), "final", "run_id"}
"""Columns that no metric may be called like, or the table could not be read any more."""


def refuse_taken(metrics: Iterable[str], whose: str) -> None:
    """Check the names of metrics.

    Raises:
        UsageError: a column that is no metric is called so.
    """
    if taken := sorted(TAKEN.intersection(metrics)):
        raise UsageError(f"{whose}: no metric can be called {taken[0]!r}, which is another column")


def key_of(row: Row) -> Key:
    """Return what tells a row apart."""
    return (row.checkpoint, row.eval, row.downstream_dataset, row.eval_version)
