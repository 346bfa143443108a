"""The results table as people read it: one row a (checkpoint, eval, version), joined with runs."""

import functools
from collections.abc import Collection, Iterable, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation import rows, store
from evaluation.keys import Eval, Pairs
from evaluation.rows import OWN
from evaluation.store import Snapshot
from sweeps import frozen
from sweeps.errors import UsageError, choices
from sweeps.expansion import Run
from sweeps.folders import Root
from sweeps.items import checkpoint_id, eval_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from evaluation.filters import Filter

FINAL = "final"
LAST = "last_checkpoint"
ALWAYS_READ = {*rows.KEY, "segment", "source"}


def load(
    root: str | Path, *, sweep: str | None = None, columns: Sequence[str] = (), **where: Any
) -> "pd.DataFrame":
    """Return the table of a root: one row for each eval of each checkpoint, in the order of their keys.

    Filters and a choice of columns reach down to the files: what is not asked for is not read.

    Args:
        root: the root's folder.
        sweep: only checkpoints of this sweep's runs. Its rows also have `run_id` and the run's label
            on each axis, and stand once for each run that a shared checkpoint belongs to.
        columns: only these; all if none is named.
        **where: column=value, column=[values] or column={"min": …, "max": …}; only such rows.

    Returns:
        Columns of `rows.Row`, a column for each metric, and `final`: whether the checkpoint is the
        last of a run that was launched under this root, or a published model.

    Raises:
        UsageError: no such sweep was launched under this root, or a column does not exist.
    """
    from evaluation import arrow
    from evaluation.filters import filter_of
    from evaluation.select import filtered, require_known

    path, asked = Root(Path(root)), {*columns, *where}
    runs = None if sweep is None else _runs_frame(_runs_of(path, sweep))
    derived = {FINAL} if runs is None else {FINAL, *runs.columns} - {"segment", LAST}
    finals = _finals(path, runs) if not columns or FINAL in asked else set()

    def read(snapshot: Snapshot) -> "pa.Table":
        require_known(asked, [*derived, *snapshot.schema.names])
        conditions = {column: wanted for column, wanted in where.items() if column not in derived}
        keep = filter_of(snapshot.schema, conditions)
        if runs is not None:
            keep &= filter_of(snapshot.schema, {"segment": runs["segment"].tolist()})
        if where.get(FINAL) is True:
            is_last = filter_of(snapshot.schema, {"checkpoint": list(finals)})
            keep &= is_last | ~filter_of(snapshot.schema, {"source": OWN})
        return newest(snapshot, keep, asked if columns else snapshot.schema.names)

    frame = arrow.frame_of(store.read(path.results, read))
    if runs is None:
        frame[FINAL] = frame["checkpoint"].isin(finals) | (frame["source"] != OWN)
    else:
        frame = _with_runs(frame, runs)
    frame = filtered(frame, {column: wanted for column, wanted in where.items() if column in derived})
    return frame[list(columns)] if columns else frame


def scored_pairs(root: Root) -> Set[tuple[str, str]]:
    """Return (checkpoint, eval) of all rows in the table, named as in work items. No pandas."""

    @functools.cache  # there are few suites, and many checkpoints
    def names(evals: frozenset[Eval]) -> frozenset[str]:
        return frozenset(eval_name(*one) for one in evals)

    keys = store.read_keys(root.results)
    return Pairs({checkpoint: names(evals) for checkpoint, evals in keys.evals.items()})


def newest(snapshot: Snapshot, keep: "Filter", columns: Collection[str]) -> "pa.Table":
    """Return the rows to keep, in the order of their keys; of those with equal keys the newest.

    A row that is not to be kept may be newer than one that is, where an eval was reported repeatedly:
    of such checkpoints all rows are read.
    """
    from evaluation import arrow
    from evaluation.filters import filter_of

    needed = [n for n in snapshot.schema.names if n in ALWAYS_READ or n in columns]
    repeated = snapshot.repeated()
    if not repeated:
        return arrow.in_key_order(snapshot.rows(needed, keep))
    also = filter_of(snapshot.schema, {"checkpoint": list(repeated)})
    every = {*needed, *keep.schema.names, "scored_at"}
    table = arrow.newest(snapshot.rows(sorted(every), keep | also))
    return table.filter(keep.expression).select(needed)


def _finals(root: Root, runs: "pd.DataFrame | None") -> Set[str]:
    """Return the last checkpoints of runs; of all that were launched, if none are given."""
    return {_last_checkpoint(run) for run in _all_runs(root)} if runs is None else {*runs[LAST]}


def _with_runs(frame: "pd.DataFrame", runs: "pd.DataFrame") -> "pd.DataFrame":
    """Return each row once for each run that its segment belongs to, in the same order."""
    import pandas as pd

    own = [column for column in frame.columns if column != "segment"]
    joined = pd.merge(frame, runs, on="segment", how="inner")
    joined[FINAL] = joined["checkpoint"] == joined.pop(LAST)
    return joined[[*(column for column in runs.columns if column != LAST), *own, FINAL]]


def _runs_frame(runs: Iterable[Run]) -> "pd.DataFrame":
    """Return a row for each (run, segment); axes whose names are columns of the table are left out."""
    import pandas as pd

    from evaluation.arrow import BASE_SCHEMA

    records = [
        {
            "run_id": run.run_id,
            "segment": segment,
            LAST: _last_checkpoint(run),
            **{a: v for a, v in run.labels.items() if a not in BASE_SCHEMA.names},
        }
        for run in runs
        for segment in run.segments
    ]
    return pd.DataFrame(records)


def _last_checkpoint(run: Run) -> str:
    return checkpoint_id(run.segments[-1], run.samples_seen)


def _runs_of(root: Root, sweep: str) -> tuple[Run, ...]:
    known = frozen.load(root, sweep)
    if known is None:
        launched = choices(sweep, frozen.launched(root))
        raise UsageError(f"sweep {sweep!r} was never launched under {root.path}. {launched}")
    return known.expansion.runs


def _all_runs(root: Root) -> list[Run]:
    return [run for sweep in frozen.launched(root) for run in _runs_of(root, sweep)]
