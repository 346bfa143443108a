"""The tables of the LAION study as rows (arXiv:2212.07143; LAION-AI/scaling-laws-openclip).

`zeroshot_results.csv` has a line for each test set of each model. What `trained_models_info.csv` and
`arch_info.csv` say of a run and of an architecture is added where they are given. Its `gmacs` are half
of our gflops: one multiply-add is two operations.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.published.clip_benchmark import EVALS
from evaluation.published.lines import Line
from evaluation.results.rows import Row

SOURCE = "laion"
RESULTS = {
    *("arch", "samples_seen", "gmacs_total", "gmacs", "upstream_dataset"),
    *("downstream_dataset", "task", "name"),
}
RUNS = {"name", "arch", "lr", "warmup", "gpus", "local_bs"}
ARCHITECTURES = {"model", "gmacs", "mparams"}
"""Columns that tell the three tables."""

NO_METRICS = {*RESULTS, "samples_seen_pretty"}
FLOPS_PER_MAC = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Lines on runs, by name, and on architectures, by name."""

    runs: Mapping[str, Line] = field(default_factory=dict)
    architectures: Mapping[str, Line] = field(default_factory=dict)


def facts_of(runs: Iterable[Line], architectures: Iterable[Line]) -> Facts:
    """Return what two of the tables say."""
    return Facts(
        runs={line.text("name"): line for line in runs},
        architectures={line.text("model"): line for line in architectures},
    )


def row_of_line(line: Line, facts: Facts, scored_at: float) -> Row:
    """Return a line of the results as a row.

    Raises:
        UsageError: something is no number.
    """
    model, samples = line.text("arch"), line.whole("samples_seen")
    segment = f"{SOURCE}:{model}:{line.text('name').removesuffix('.pt')}"
    metrics = {name: line.real(name) for name in line.cells if name not in NO_METRICS}
    return Row(
        source=SOURCE,
        checkpoint=f"{segment}@{samples}",
        segment=segment,
        eval=EVALS.get(line.text("task"), line.text("task")),
        eval_version=1,
        downstream_dataset=line.text("downstream_dataset"),
        model=model,
        pretrain_dataset=line.text("upstream_dataset"),
        samples_seen=samples,
        gflops_per_sample=_scaled(line.real("gmacs"), FLOPS_PER_MAC),
        gflops_total=_scaled(line.real("gmacs_total"), FLOPS_PER_MAC),
        scored_at=scored_at,
        metrics={name: value for name, value in metrics.items() if value is not None},
        **_of_run(facts.runs.get(line.text("name"))),
        num_params=_num_params(facts.architectures.get(model)),
    )


def _of_run(line: Line | None) -> dict[str, Any]:
    if line is None:
        return {}
    gpus, local = line.whole("gpus"), line.whole("local_bs")
    batch = gpus * local if gpus is not None and local is not None else None
    return {"lr": line.real("lr"), "warmup": line.whole("warmup"), "global_batch_size": batch}


def _num_params(line: Line | None) -> int | None:
    millions = line.real("mparams") if line else None
    return None if millions is None else round(1e6 * millions)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value
