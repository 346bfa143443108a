"""The command line: `python -m evaluation table|mean|score key=value …`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from conf.schema import EvalConfig
from evaluation import results
from evaluation.formats import TableFormat, encoded
from evaluation.select import filtered
from evaluation.suites import means
from sweeps import durable
from sweeps.commands import read_arguments, run_command
from sweeps.compose import compose_part
from sweeps.errors import UsageError
from sweeps.folders import root_of
from sweeps.logs import configure_logging

USAGE = """usage: python -m evaluation table [root=DIR] [sweep=NAME] [key=value ...]
       python -m evaluation mean suite=NAME [root=DIR] [sweep=NAME] [key=value ...]
       python -m evaluation score weights=FILE [model=NAME] suite=NAME [key=value ...]

  table   print the results table: one row for each eval of each checkpoint
  mean    print for each checkpoint the mean over a suite, empty while one of its scores is missing
  score   score one model without a sweep, and print the rows

  of table and mean:
  root=DIR             whose table
  sweep=NAME           only checkpoints of its runs, with run_id and the axes of the grid
  final=true           only the last checkpoint of each run
  where.COLUMN=value   only these rows; a [list] means any of it; where.COLUMN.min= and .max=
  format=csv           csv, json or parquet
  out=FILE             write to this file instead of standard output

  of score:
  weights=FILE         a milestone in its run's folder; or with model=, weights that open_clip reads
  model=NAME           in conf/model/, or open_clip's; with procedure=clip, coca, mammut or siglip
  suite=NAME           what to score on: one of conf/eval/, whose sets lie under root, or in data=DIR
  dataset=FOLDER       instead: a set in CLIP_benchmark's WebDataset layout, or a [list] of them
  evaluator=TARGET     a class for dataset=, if not classification or retrieval as its type says
  append=true          put the rows into the root's table, and leave out what has one
  pretrain_dataset=NAME, samples_seen=N   what the rows say of weights that are no milestone
  format=csv           csv, json or parquet"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableArguments:
    """What is printed and how; see the command's help."""

    root: str | None = None
    sweep: str | None = None
    final: bool = False
    where: dict[str, Any] = field(default_factory=dict)
    format: TableFormat = TableFormat.csv
    out: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanArguments(TableArguments):
    """The same, and over which suite."""

    suite: str


def main() -> int:
    """Run one command; return its exit status."""
    configure_logging()
    return run_command({"table": table, "mean": mean, "score": score}, sys.argv[1:], USAGE)


def table(words: Sequence[str]) -> int:
    """Print the results table of a root."""
    arguments = read_arguments(words, TableArguments)
    _put(_loaded(arguments), arguments)
    return 0


def mean(words: Sequence[str]) -> int:
    """Print the means over a suite of a root's checkpoints."""
    arguments = read_arguments(words, MeanArguments)
    suite = compose_part("eval", EvalConfig, [f"eval={arguments.suite}"])
    _put(means(_loaded(arguments), suite), arguments)
    return 0


def score(words: Sequence[str]) -> int:
    """Score one model without a sweep, and print the rows."""
    from evaluation import alone, arrow  # torch, which the others do without

    given = read_arguments(words, alone.ScoreArguments)
    rows = alone.score_alone(given)
    frame = arrow.table_of(rows).to_pandas()
    sys.stdout.buffer.write(encoded(frame.dropna(axis=1, how="all"), given.format))
    return 0


def _loaded(arguments: TableArguments) -> pd.DataFrame:
    """Return the rows that are meant of the results table of a root."""
    if arguments.format is TableFormat.parquet and arguments.out is None and sys.stdout.isatty():
        raise UsageError("format=parquet is not for a terminal; give out=FILE")
    root = root_of(arguments.root)
    if not root.results.is_dir():
        raise UsageError(f"there is no results table under {root.path}; give root=DIR")
    frame = results.load(root.path, sweep=arguments.sweep)
    if arguments.final:
        frame = frame[frame["final"]]
    return filtered(frame, arguments.where)


def _put(frame: pd.DataFrame, arguments: TableArguments) -> None:
    content = encoded(frame, arguments.format)
    if arguments.out is None:
        sys.stdout.buffer.write(content)
    else:
        _write(Path(arguments.out), content)


def _write(path: Path, content: bytes) -> None:
    if path.is_dir():
        raise UsageError(f"out={path} is a folder; name a file")
    try:
        durable.replace(path, content)
    except OSError as error:
        raise UsageError(f"out={path} cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
