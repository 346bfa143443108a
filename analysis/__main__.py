"""The command line: `python -m analysis fit [root=…] [sweep=…] [key=value …]`."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from analysis.laws import DEFAULT_GROUP, DEFAULT_X, law_json, laws_of
from analysis.report import write_report
from conf.schema import Natural, OutputFormat
from evaluation import results
from evaluation.select import filtered
from sweeps import frozen
from sweeps.commands import read_arguments, run_command
from sweeps.errors import UsageError, choices
from sweeps.folders import Root, root_of
from sweeps.logs import configure_logging

USAGE = """usage: python -m analysis fit [root=DIR] [sweep=NAME] [key=value ...]

  fit   fit E = beta * C^alpha on the compute frontier, print it, and write figure and report

  root=DIR or table=FILE   our results table, or any CSV or Parquet file
  x=gflops_total           column of compute
  y=error:acc1             a column, or error:COLUMN for 1 - COLUMN; without y, each eval's main one
  group=pretrain_dataset   one fit for each value of this column
  frontier=pareto          pareto, bins5 or none
  bootstrap=1000           resamples for the intervals
  where.COLUMN=value       only these rows; a [list] means any of it; where.COLUMN.min= and .max=
  format=text              or json"""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitArguments:
    """What is fitted and how; see the command's help."""

    root: str | None = None
    table: str | None = None
    sweep: str | None = None
    x: str = DEFAULT_X
    y: str | None = None
    group: str = DEFAULT_GROUP
    frontier: str = "pareto"
    bootstrap: Natural = 1000
    where: dict[str, Any] = field(default_factory=dict)
    format: OutputFormat = OutputFormat.text


def main() -> int:
    """Run one command; return its exit status."""
    configure_logging()
    return run_command({"fit": fit}, sys.argv[1:], USAGE)


def fit(words: Sequence[str]) -> int:
    """Fit and print the laws of a table."""
    arguments = read_arguments(words, FitArguments)
    frame, title, folder = _input(arguments)
    frame = filtered(frame, arguments.where)
    if frame.empty:
        raise UsageError(f"no row is left with {dict(arguments.where)}")
    laws = laws_of(
        frame,
        x=arguments.x,
        y=arguments.y,
        group=arguments.group,
        rule=arguments.frontier,
        num_resamples=arguments.bootstrap,
    )
    command = shlex.join(["python", "-m", "analysis", "fit", *words])
    files = write_report(folder, title, laws, command) if folder else None
    if arguments.format is OutputFormat.json:
        fits = [law_json(law) for law in laws]
        sys.stdout.write(msgspec.json.encode({"fits": fits}).decode() + "\n")
        return 0
    for law in laws:
        print(law.sentence())
    if files:
        print(f"figure: {files.svg}\nreport: {files.html}")
    return 0


def _input(arguments: FitArguments) -> tuple[pd.DataFrame, str, Path | None]:
    """Return the table, a title, and the folder of the report (None for a table of one's own)."""
    if arguments.table is None:
        root = root_of(arguments.root)
        sweep = arguments.sweep or _only_sweep(root)
        frame = results.load(root.path, sweep=sweep, final=True)
        return frame, f"Scaling laws of {sweep}", root.report(sweep)
    if arguments.root is not None:
        raise UsageError("give root=DIR (our results table) or table=FILE (a CSV or Parquet file)")
    path = Path(arguments.table)
    if not path.is_file():
        raise UsageError(f"table={path}: there is no such file")
    read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
    try:
        return read(path), f"Scaling laws of {path.name}", None
    except (ValueError, OSError) as error:
        raise UsageError(f"table={path} cannot be read: {str(error).splitlines()[0]}") from error


def _only_sweep(root: Root) -> str:
    names = frozen.launched(root)
    if not names:
        raise UsageError(f"no sweep was launched under {root.path}; give root=DIR or table=FILE")
    if len(names) > 1:
        raise UsageError(f"say which sweep: sweep=NAME. {choices('', names)}")
    return names[0]


if __name__ == "__main__":
    sys.exit(main())
