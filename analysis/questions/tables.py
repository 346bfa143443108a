"""Where runs come from: our results table, or any CSV or Parquet file."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from analysis.questions.question import MAIN_METRIC
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
        return _of_root(root_of(root), sweep, published=published)
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
        own = frame.drop(columns=MAIN_METRIC, errors="ignore")
        return means(own, config).assign(downstream_dataset=suite)

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


def sweep_table(root: Root, sweep: str, *, published: bool = False) -> Table:
    """Return the final checkpoints of a sweep, each row with the main metric of its eval.

    `published`: the models that were imported into the root's table as well.

    Raises:
        UsageError: it was never launched under this root.
    """
    every = results.load(root.path, sweep=sweep)
    finals = every[every["final"]]
    if published:
        finals = pd.concat([finals, _published(root)], ignore_index=True)
    named = _main_metrics(finals, frozen.load_suites(root, sweep))
    return Table(
        frame=finals.assign(**{MAIN_METRIC: named}),
        title=sweep,
        folder=root.report(sweep),
        checkpoints=every,
    )


def _of_root(root: Root, sweep: str | None, *, published: bool) -> Table:
    if published and sweep is None and not frozen.launched(root):
        return Table(frame=_published(root), title="published models", folder=root.report("published"))
    return sweep_table(root, sweep or _only_sweep(root), published=published)


def _published(root: Root) -> pd.DataFrame:
    finals = results.load(root.path, final=True)
    return finals[finals["source"] != OWN]


def _main_metrics(frame: pd.DataFrame, suites: Iterable[EvalConfig]) -> pd.Series:
    """Return of each row the main metric that suites name for its eval, null where they name none."""
    evals = [one for suite in suites for one in suite.evals if one.main_metric]
    named = {(one.name, one.dataset): one.main_metric for one in evals}
    pairs = zip(frame["eval"], frame["downstream_dataset"], strict=True)
    return pd.Series([named.get(pair) for pair in pairs], index=frame.index, dtype="str")


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
