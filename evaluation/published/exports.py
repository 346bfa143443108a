"""Rows of the table in the form of clip_benchmark's result files."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.published import clip_benchmark
from evaluation.published.clip_benchmark import Result
from sweeps import durable
from sweeps.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


class ExportFormat(Enum):
    """Whose results rows are written as."""

    clip_benchmark = "clip_benchmark"


def write_results(frame: "pd.DataFrame", folder: Path) -> int:
    """Write a JSON file for each row into a new folder, all of them or none; return how many.

    Raises:
        UsageError: there is no row; the folder is there already, or cannot be made.
    """
    files = {clip_benchmark.file_name(one): durable.encode(one) for one in results_of(frame)}
    if not files:
        raise UsageError("no row of the table is meant, so there is nothing to export")
    try:
        if not durable.publish_folder(folder, files):
            raise UsageError(f"out={folder} is there already; name a new folder")
    except OSError as error:
        raise UsageError(f"out={folder} cannot be written: {error.strerror}") from error
    return len(files)


def results_of(frame: "pd.DataFrame") -> Iterator[Result]:
    """Yield the rows of a table as results, each eval as its newest version measures it."""
    from pandas.api.types import is_float_dtype

    from evaluation.results.arrow import BASE_SCHEMA

    metrics = [c for c in frame.columns if c not in BASE_SCHEMA.names and is_float_dtype(frame[c])]
    newest = frame.sort_values("eval_version", kind="stable").drop_duplicates(
        ["checkpoint", "eval", "downstream_dataset"], keep="last"
    )
    for record in newest.sort_index().to_dict(orient="records"):
        own = {name: float(record[name]) for name in metrics if record[name] == record[name]}
        yield clip_benchmark.result_of({str(name): value for name, value in record.items()}, own)
