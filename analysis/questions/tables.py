"""Where runs come from: our results table, or any CSV or Parquet file."""

import gzip
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from conf.schema import EvalConfig
from evaluation import results
from evaluation.results.rows import OWN
from evaluation.suites import means
from sweeps.composing.compose import compose_part
from sweeps.errors import UsageError, choices
from sweeps.folders import Root, root_of
from sweeps.runs import frozen

DELIMITERS = ",;\t|"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows, what they are called, and where a report on them belongs (None for a file).

    `checkpoints`: the rows of all checkpoints, the final ones among them; None for a file.
    """

    frame: pd.DataFrame
    title: str
    folder: Path | None
    checkpoints: pd.DataFrame | None = None


def read_table(
    root: str | None, table: str | None, sweep: str | None, *, published: bool = False
) -> Table:
    """Return the final checkpoints of a sweep under a root, or the rows of a file.

    `published`: the models that were imported into the root's table as well; where no sweep was
    launched, these alone.

    Raises:
        UsageError: both or neither are named, or what is named cannot be read.
    """
    if table is None:
        found = root_of(root)
        return _with_published(found, sweep) if published else _of_sweep(found, sweep)
    if root is not None or sweep is not None or published:
        raise UsageError("give root=DIR (our results table) or table=FILE (a CSV or Parquet file)")
    path = Path(table)
    return Table(frame=_read(path), title=path.name, folder=None)


def averaged(table: Table, suite: str) -> Table:
    """Return a table with a row for each checkpoint instead: its `mean` over a suite.

    Raises:
        UsageError: there is no such suite, or no checkpoint has all of its scores.
    """
    config = compose_part("eval", EvalConfig, [f"eval={suite}"])

    def mean(frame: pd.DataFrame) -> pd.DataFrame:
        return means(frame, config).assign(downstream_dataset=suite)

    frame = mean(table.frame)
    if not frame["mean"].notna().any():
        needed = sum(one.main_metric is not None for one in config.evals)
        most = frame["num_scores"].max() if len(frame) else 0
        raise UsageError(
            f"suite={suite} has {needed} scores that count, of which no model has over {most}"
        )
    every = table.checkpoints
    return replace(
        table, title=f"{table.title}, mean over {suite}", frame=frame,
        checkpoints=None if every is None else mean(every),
    )  # fmt: skip


def _of_sweep(root: Root, sweep: str | None) -> Table:
    name = sweep or _only_sweep(root)
    return sweep_table(root, name)


def sweep_table(root: Root, sweep: str) -> Table:
    """Return the final checkpoints of a sweep.

    Raises:
        UsageError: it was never launched under this root.
    """
    every = results.load(root.path, sweep=sweep)
    return Table(frame=every[every["final"]], title=sweep, folder=root.report(sweep), checkpoints=every)


def _with_published(root: Root, sweep: str | None) -> Table:
    finals = results.load(root.path, final=True)
    models = finals[finals["source"] != OWN]
    if sweep is None and not frozen.launched(root):
        return Table(frame=models, title="published models", folder=root.report("published"))
    own = _of_sweep(root, sweep)
    return replace(own, frame=pd.concat([own.frame, models], ignore_index=True))


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise UsageError(f"table={path}: there is no such file")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return _with_large_numbers(pd.read_csv(path, sep=_delimiter(path), skipinitialspace=True))
    except (ValueError, OSError) as error:
        raise UsageError(f"table={path} cannot be read: {str(error).splitlines()[0]}") from error


def _with_large_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with integers beyond 64 bits as floats, where pandas leaves them as they are."""
    others = [column for column in frame.columns if not is_numeric_dtype(frame[column])]
    numbers = {column: pd.to_numeric(frame[column], errors="coerce") for column in others}
    large = {c: found for c, found in numbers.items() if found.notna().equals(frame[c].notna())}
    return frame.assign(**{column: found.astype("float64") for column, found in large.items()})


def _delimiter(path: Path) -> str:
    """Return the delimiter that the header has most of."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        header = lines.readline()
    return max(DELIMITERS, key=header.count)


def _only_sweep(root: Root) -> str:
    names = frozen.launched(root)
    if not names:
        raise UsageError(f"no sweep was launched under {root.path}; give root=DIR or table=FILE")
    if len(names) > 1:
        raise UsageError(f"say which sweep: sweep=NAME. {choices('', names)}")
    return names[0]
