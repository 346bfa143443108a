"""Results of clip_benchmark as rows, and rows as its results.

It writes a JSON object for each (dataset, model, pretrained, task, language), and of many such files a
CSV in which each metric is a column. Metrics have the same names here.
"""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from evaluation.published.lines import Line
from evaluation.results.rows import Row
from sweeps.errors import UsageError

log = logging.getLogger(__name__)

SOURCE = "clip_benchmark"
ENGLISH = "en"
COLUMNS = {"dataset", "model", "pretrained", "task"}
"""Columns that each of its CSV files has."""

NO_METRICS = {*COLUMNS, "language", "model_fullname", "model_type"}
EVALS = {"zeroshot_retrieval": "retrieval"}
"""Its tasks that have another name here."""

TASKS = {name: task for task, name in EVALS.items()}
HUB = "wds/"
"""So begins the name of a set that it read as it lies on the hub."""


class Result(msgspec.Struct, kw_only=True):
    """What one of its JSON files holds; more may stand there."""

    dataset: str
    model: str
    pretrained: str
    task: str
    metrics: dict[str, Any]
    language: str = ENGLISH


def row_of_file(path: Path, scored_at: float) -> Row:
    """Return the result in one of its JSON files as a row, without metrics that are no number.

    Raises:
        UsageError: there is none.
    """
    try:  # by Python's parser, as its writer did: NaN stands for an acc5 of less than five classes
        result = msgspec.convert(json.loads(path.read_bytes(), parse_int=float), Result)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no result of clip_benchmark: {error}") from error
    numbers = {name: value for name, value in result.metrics.items() if isinstance(value, float)}
    metrics = {name: value for name, value in numbers.items() if math.isfinite(value)}
    if missing := sorted(numbers.keys() - metrics.keys()):
        log.warning("%s: left out, as no finite number stands there: %s", path, ", ".join(missing))
    if not metrics:
        raise UsageError(f"{path}: no metric is a number")
    return _row(result, metrics, scored_at)


def row_of_line(line: Line, scored_at: float) -> Row:
    """Return a line of one of its CSV files as a row.

    Raises:
        UsageError: a metric is no number.
    """
    result = Result(
        **{name: line.text(name) for name in COLUMNS},
        metrics={},
        language=line.cells.get("language") or ENGLISH,
    )
    metrics = {name: line.real(name) for name in line.cells if name not in NO_METRICS}
    return _row(result, {name: v for name, v in metrics.items() if v is not None}, scored_at)


def result_of(record: Mapping[str, Any], metrics: Mapping[str, float]) -> Result:
    """Return a row of the table, with its metrics, as a result; `pretrained` is the checkpoint."""
    dataset, _, language = record["downstream_dataset"].partition(":")
    is_imported = record["source"] == SOURCE
    return Result(
        dataset=dataset,
        model=record["model"],
        pretrained=record["pretrain_dataset" if is_imported else "checkpoint"],
        task=TASKS.get(record["eval"], record["eval"]),
        metrics=dict(metrics),
        language=language or ENGLISH,
    )


def file_name(result: Result) -> str:
    """Return the name that clip_benchmark's documentation gives to such a file."""
    parts = (result.dataset, result.pretrained, result.model, result.language, result.task)
    return "_".join(parts).replace("/", "_") + ".json"


def _row(result: Result, metrics: Mapping[str, float], scored_at: float) -> Row:
    name = f"{SOURCE}:{result.model}:{result.pretrained}"
    dataset = result.dataset.removeprefix(HUB)
    return Row(
        source=SOURCE,
        checkpoint=name,
        segment=name,
        eval=EVALS.get(result.task, result.task),
        eval_version=1,
        downstream_dataset=dataset if result.language == ENGLISH else f"{dataset}:{result.language}",
        model=result.model,
        pretrain_dataset=result.pretrained,
        scored_at=scored_at,
        metrics=dict(metrics),
    )
