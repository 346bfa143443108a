"""The results table as people read it: one row a (checkpoint, eval, version), joined with runs."""

import functools
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.results import rows, store
from evaluation.results.keys import Eval, Pairs
from evaluation.results.rows import OWN
from evaluation.results.store import Snapshot
from sweeps.errors import UsageError, choices
from sweeps.folders import Root
from sweeps.runs import frozen
from sweeps.runs.expansion import Run
from sweeps.work.items import checkpoint_id, eval_name

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from evaluation.results.filters import Filter
    from evaluation.results.order import Rows
    from evaluation.results.scan import Scan

FINAL = "final"
LAST = "last_checkpoint"
DERIVED_FROM = ("checkpoint", "segment", "source")


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

        Text is categorical, which halves the memory; its categories are the values that occur, sorted.
        It is compared with text, sorted, grouped, merged and written as text is. What differs: a value
        that is no category cannot be set, two such columns are neither compared nor added, `max` is
        refused, and of a part of the rows `value_counts` also counts what it has none of, as 0. Where
        that is in the way, `frame.astype({column: "str"})` makes it text.

    Raises:
        UsageError: no such sweep was launched under this root, or a column does not exist.
    """
    from evaluation.results.frames import frame_of
    from evaluation.results.select import filtered, require_known

    path, asked = Root(Path(root)), {*columns, *where}
    runs = None if sweep is None else _runs_frame(_runs_of(path, sweep))
    derived = {FINAL} if runs is None else {FINAL, *runs.columns} - {"segment", LAST}
    derives = runs is not None or not columns or FINAL in asked
    finals = _finals(path, runs) if derives else frozenset()

    def read(snapshot: Snapshot) -> "pd.DataFrame":
        schema = snapshot.rows.schema
        require_known(asked, [*derived, *schema.names])
        stored = {column: wanted for column, wanted in where.items() if column not in derived}
        keep = _meant(schema, stored, runs, finals if where.get(FINAL) is True else None)
        needed = {*(columns or schema.names), *(DERIVED_FROM if derives else ())}
        kept, order = newest(snapshot, keep)
        return frame_of(kept, [name for name in schema.names if name in needed], order)

    frame = store.read(path.results, read)
    if runs is not None:
        frame = _with_runs(frame, runs)
    elif derives:
        frame[FINAL] = frame["checkpoint"].isin(finals) | (frame["source"] != OWN)
    frame = filtered(frame, {column: wanted for column, wanted in where.items() if column in derived})
    return frame[list(columns)] if columns else frame


def scored_pairs(root: Root) -> Set[tuple[str, str]]:
    """Return (checkpoint, eval) of all rows in the table, named as in work items. No pandas."""

    @functools.cache  # there are few suites, and many checkpoints
    def names(evals: frozenset[Eval]) -> frozenset[str]:
        return frozenset(eval_name(*one) for one in evals)

    keys = store.read_keys(root.results)
    return Pairs({checkpoint: names(evals) for checkpoint, evals in keys.evals.items()})


def newest(snapshot: Snapshot, keep: "Filter") -> "tuple[Scan, Rows]":
    """Return rows, and which of them are to be kept, in the order of their keys.

    Of rows with equal keys the newest counts. A row that is not to be kept may be newer than one that
    is, where an eval was reported repeatedly: of such checkpoints all rows are read.
    """
    from evaluation.results import order
    from evaluation.results.filters import filter_of

    repeated = snapshot.repeated()
    if not repeated:
        kept = snapshot.rows.kept(keep).holding(rows.KEY)
        return kept, order.by_key(kept.table(rows.KEY))
    also = filter_of(snapshot.rows.schema, {"checkpoint": list(repeated)})
    candidates = snapshot.rows.kept(keep | also)
    table = candidates.table(list({*rows.KEY, "scored_at", *keep.schema.names}))
    newest = order.newest(table)
    return candidates, newest[keep.mask(table)[newest]]


def _meant(
    schema: "pa.Schema", where: Mapping[str, Any], runs: "pd.DataFrame | None", finals: Set[str] | None
) -> "Filter":
    """Return the filter for conditions on columns, for runs, and for final checkpoints."""
    from evaluation.results.filters import filter_of

    keep = filter_of(schema, where)
    if runs is not None:
        keep &= filter_of(schema, {"segment": runs["segment"].tolist()})
    if finals is not None:
        is_last = filter_of(schema, {"checkpoint": list(finals)})
        keep &= is_last | ~filter_of(schema, {"source": OWN})
    return keep


def _finals(root: Root, runs: "pd.DataFrame | None") -> Set[str]:
    """Return the last checkpoints of runs; of all that were launched, if none are given."""
    return {_last_checkpoint(run) for run in _all_runs(root)} if runs is None else {*runs[LAST]}


def _with_runs(frame: "pd.DataFrame", runs: "pd.DataFrame") -> "pd.DataFrame":
    """Return each row once for each run that its segment belongs to, in the same order."""
    import pandas as pd

    segments, checkpoints = (frame[name].cat.categories for name in ("segment", "checkpoint"))
    alike = runs.assign(
        **{
            "segment": runs["segment"].cat.set_categories(segments),
            LAST: runs[LAST].cat.set_categories(checkpoints),
        }
    ).dropna(subset="segment")  # categories are alike, so what is compared is their numbers
    own = [column for column in frame.columns if column != "segment"]
    joined = pd.merge(frame, alike, on="segment", how="inner")
    joined[FINAL] = joined["checkpoint"] == joined.pop(LAST)
    return joined[[*(column for column in runs.columns if column != LAST), *own, FINAL]]


def _runs_frame(runs: Iterable[Run]) -> "pd.DataFrame":
    """Return a row for each (run, segment); axes whose names are columns of the table are left out."""
    import pandas as pd

    from evaluation.results.arrow import BASE_SCHEMA

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
    return pd.DataFrame(records, dtype="str").astype("category")


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
