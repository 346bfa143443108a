"""The command line: `python -m evaluation table|mean|export|import|score|decoded …`."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from conf.schema import EvalConfig, NotNegative
from evaluation import results
from evaluation.formats import TableFormat, encoded
from evaluation.published import exports, imports
from evaluation.published.exports import ExportFormat
from evaluation.results import frames
from evaluation.results.rows import Row
from evaluation.sets import unused
from evaluation.suites import means
from sweeps import durable
from sweeps.commands import read_arguments, run_command
from sweeps.composing.compose import compose_part
from sweeps.errors import ScoringFailed, UsageError
from sweeps.folders import make_folders, root_of
from sweeps.logs import configure_logging
from sweeps.text import plural
from training.collector import collector_at_rest

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

USAGE = """usage: python -m evaluation table [root=DIR] [sweep=NAME] [key=value ...]
       python -m evaluation mean suite=NAME [root=DIR] [sweep=NAME] [key=value ...]
       python -m evaluation export out=DIR [root=DIR] [sweep=NAME] [key=value ...]
       python -m evaluation import FILE ... [root=DIR]
       python -m evaluation score weights=FILE [model=NAME] suite=NAME [key=value ...]
       python -m evaluation decoded [root=DIR] [unused_days=N [delete=true]] [format=csv]

  table   print the results table: one row for each eval of each checkpoint
  mean    print for each checkpoint the mean over a suite, empty while one of its scores is missing
  export  write a JSON file for each row into a new folder, as clip_benchmark does
  import  add published results to the table, once: JSON or CSV files of clip_benchmark, and the
          LAION study's zeroshot_results.csv, with trained_models_info.csv and arch_info.csv
  score   score one model without a sweep, and print the rows
  decoded list the files of decoded test sets, or those unused for N days; and delete these

  of table, mean and export:
  root=DIR             whose table
  sweep=NAME           only checkpoints of its runs, with run_id and the axes of the grid
  final=true           only the last checkpoint of each run, and published models
  where.COLUMN=value   only these rows; a [list] means any of it; where.COLUMN.min= and .max=
  columns=[A,B]        of a table only these columns
  format=csv           csv, json or parquet; of an export clip_benchmark
  out=FILE             write to this file instead of standard output

  of score:
  weights=FILE         a milestone in its run's folder; or with model=, weights that open_clip reads
  model=NAME           in conf/model/, or open_clip's; with procedure=clip, coca, mammut or siglip
  precision=fp32       with model=: fp32, tf32 or bf16; a milestone is scored in that of its training
  suite=NAME           what to score on: one of conf/eval/, whose sets lie under root, or in data=DIR
  dataset=FOLDER       instead: a set in CLIP_benchmark's WebDataset layout, or a [list] of them
  evaluator=TARGET     a class for dataset=, if not classification or retrieval as its type says
  append=true          put the rows into the root's table, and leave out what has one; root is that
                       of the milestone if not given
  pretrain_dataset=NAME, samples_seen=N   what the rows say of weights that are no milestone
  format=csv           csv, json or parquet"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which rows are meant, and where they go; see the command's help."""

    root: str | None = None
    sweep: str | None = None
    final: bool = False
    where: dict[str, Any] = field(default_factory=dict)
    out: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanArguments(Selection):
    """The mean over which suite, and how it is written."""

    suite: str
    format: TableFormat = TableFormat.csv


@dataclass(frozen=True, kw_only=True, slots=True)
class TableArguments(Selection):
    """Which columns, and how they are written."""

    columns: list[str] = field(default_factory=list)
    format: TableFormat = TableFormat.csv


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportArguments(Selection):
    """For which tool."""

    format: ExportFormat = ExportFormat.clip_benchmark


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportArguments:
    """Whose table published results are added to."""

    root: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedArguments:
    """Which files of decoded test sets, and whether they are deleted."""

    root: str | None = None
    unused_days: NotNegative | None = None
    delete: bool = False
    format: TableFormat = TableFormat.csv


def main() -> int:
    """Run one command; return its exit status."""
    configure_logging()
    commands = {
        "table": table,
        "mean": mean,
        "export": export,
        "import": add,
        "score": score,
        "decoded": decoded,
    }
    try:
        return run_command(commands, sys.argv[1:], USAGE)
    except (msgspec.MsgspecError, OSError) as error:
        print(f"isogrid: {error}", file=sys.stderr)
        return 1


def table(words: Sequence[str]) -> int:
    """Print the results table of a root."""
    arguments = read_arguments(words, TableArguments)
    _put(_loaded(arguments, arguments.columns), arguments.format, arguments.out)
    return 0


def mean(words: Sequence[str]) -> int:
    """Print the means over a suite of a root's checkpoints."""
    arguments = read_arguments(words, MeanArguments)
    suite = compose_part("eval", EvalConfig, [f"eval={arguments.suite}"])
    _put(means(_loaded(arguments), suite), arguments.format, arguments.out)
    return 0


def export(words: Sequence[str]) -> int:
    """Write rows as clip_benchmark's results."""
    arguments = read_arguments(words, ExportArguments)
    if arguments.out is None:
        raise UsageError("say where the files go: out=DIR")
    num_files = exports.write_results(_loaded(arguments), Path(arguments.out))
    print(f"{plural(num_files, 'file')} in {arguments.out}")
    return 0


def add(words: Sequence[str]) -> int:
    """Add published results to the table of a root."""
    files = [Path(word) for word in words if not word.startswith("root=")]
    arguments = read_arguments([word for word in words if word.startswith("root=")], ImportArguments)
    if not files:
        raise UsageError("name the files to import")
    root, rows = root_of(arguments.root), imports.rows_in(files)
    make_folders(root)
    models = plural(len({row.checkpoint for row in rows}), "model")
    print(f"{plural(len(rows), 'row')} of {models}, {imports.add(root.results, rows):,} of them new")
    return 0


def score(words: Sequence[str]) -> int:
    """Score one model without a sweep, and print the rows."""
    with collector_at_rest():
        from evaluation import alone  # torch, which the others do without

    given = read_arguments(words, alone.ScoreArguments)
    found = alone.score_alone(given)
    if rows := [one for one in found if isinstance(one, Row)]:
        frame = frames.frame_of_rows(rows).dropna(axis=1, how="all")
        sys.stdout.buffer.write(encoded(frame, given.format))
    if failed := [str(one) for one in found if not isinstance(one, Row)]:
        raise ScoringFailed("; ".join(failed))
    return 0


def decoded(words: Sequence[str]) -> int:
    """Print which decoded test sets there are, and delete them if told to."""
    arguments = read_arguments(words, DecodedArguments)
    if arguments.delete and arguments.unused_days is None:
        raise UsageError("say of what age: unused_days=N, more than any scoring job lasts")
    root = root_of(arguments.root)
    if not root.path.is_dir():
        raise UsageError(f"there is no root {root.path}; give root=DIR")
    files = unused.unused_for(root.decoded, arguments.unused_days or 0)
    frame = unused.described(files)
    if arguments.delete:
        unused.delete(files)
    sys.stdout.buffer.write(encoded(frame, arguments.format))
    done = "deleted" if arguments.delete else "found"
    log.info("%s %s of %.0f MiB", done, plural(len(files), "file"), frame["size_mib"].sum())
    return 0


def _loaded(arguments: Selection, columns: Sequence[str] = ()) -> "pd.DataFrame":
    """Return the rows that are meant of the results table of a root."""
    root = root_of(arguments.root)
    if not root.results.is_dir():
        raise UsageError(f"there is no results table under {root.path}; give root=DIR")
    where = {**arguments.where, **({results.FINAL: True} if arguments.final else {})}
    return results.load(root.path, sweep=arguments.sweep, columns=columns, **where)


def _put(frame: "pd.DataFrame", form: TableFormat, out: str | None) -> None:
    if form is TableFormat.parquet and out is None and sys.stdout.isatty():
        raise UsageError("format=parquet is not for a terminal; give out=FILE")
    content = encoded(frame, form)
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        _write(Path(out), content)


def _write(path: Path, content: bytes) -> None:
    if path.exists() and not path.is_file():
        raise UsageError(f"out={path} is no file but a folder or a device; name a file")
    try:
        durable.replace(path, content)
    except OSError as error:
        raise UsageError(f"out={path} cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
