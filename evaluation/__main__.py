"""The command line: `python -m evaluation table [root=…] [sweep=…] [key=value …]`."""

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation import results
from evaluation.select import filtered
from sweeps import durable
from sweeps.commands import read_arguments, run_command
from sweeps.errors import UsageError
from sweeps.folders import root_of
from sweeps.logs import configure_logging

USAGE = """usage: python -m evaluation table [root=DIR] [sweep=NAME] [key=value ...]

  table   print the results table: one row for each eval of each checkpoint

  root=DIR             whose table
  sweep=NAME           only checkpoints of its runs, with run_id and the axes of the grid
  final=true           only the last checkpoint of each run
  where.COLUMN=value   only these rows; a [list] means any of it; where.COLUMN.min= and .max=
  format=csv           csv, json or parquet
  out=FILE             write to this file instead of standard output"""


class TableFormat(Enum):
    """How a table is written."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableArguments:
    """What is printed and how; see the command's help."""

    root: str | None = None
    sweep: str | None = None
    final: bool = False
    where: dict[str, Any] = field(default_factory=dict)
    format: TableFormat = TableFormat.csv
    out: str | None = None


def main() -> int:
    """Run one command; return its exit status."""
    configure_logging()
    return run_command({"table": table}, sys.argv[1:], USAGE)


def table(words: Sequence[str]) -> int:
    """Print the results table of a root."""
    arguments = read_arguments(words, TableArguments)
    if arguments.format is TableFormat.parquet and arguments.out is None and sys.stdout.isatty():
        raise UsageError("format=parquet is not for a terminal; give out=FILE")
    root = root_of(arguments.root)
    if not root.results.is_dir():
        raise UsageError(f"there is no results table under {root.path}; give root=DIR")
    frame = results.load(root.path, sweep=arguments.sweep)
    if arguments.final:
        frame = frame[frame["final"]]
    content = _encoded(filtered(frame, arguments.where), arguments.format)
    if arguments.out is None:
        sys.stdout.buffer.write(content)
    else:
        _write(Path(arguments.out), content)
    return 0


def _write(path: Path, content: bytes) -> None:
    if path.is_dir():
        raise UsageError(f"out={path} is a folder; name a file")
    try:
        durable.replace(path, content)
    except OSError as error:
        raise UsageError(f"out={path} cannot be written: {error.strerror}") from error


def _encoded(frame: pd.DataFrame, form: TableFormat) -> bytes:
    match form:
        case TableFormat.csv:
            return frame.to_csv(index=False).encode()
        case TableFormat.json:
            rows = frame.to_json(orient="records", double_precision=15)
            return b'{"rows":' + rows.encode() + b"}\n"
        case TableFormat.parquet:
            buffer = io.BytesIO()
            frame.to_parquet(buffer, index=False)
            return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
