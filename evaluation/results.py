"""The results table as people read it: one row a (checkpoint, eval, version), joined with runs."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation import rows, store
from sweeps import frozen
from sweeps.errors import UsageError, choices
from sweeps.expansion import Run
from sweeps.folders import Root
from sweeps.items import checkpoint_id, eval_name

if TYPE_CHECKING:
    import pandas as pd

KEY = list(rows.KEY)


def load(root: str | Path, *, sweep: str | None = None, **where: Any) -> "pd.DataFrame":
    """Return the table of a root: one row for each eval of each checkpoint.

    Args:
        root: the root's folder.
        sweep: only checkpoints of this sweep's runs. Its rows also have `run_id` and the run's label
            on each axis, and stand once for each run that a shared checkpoint belongs to.
        **where: column=value, column=[values] or column={"min": …, "max": …}; only such rows.

    Returns:
        Columns of `rows.Row`, a column for each metric, and `final`: whether the checkpoint is the
        last of a run that was launched under this root.

    Raises:
        UsageError: no such sweep was launched under this root, or a column does not exist.
    """
    import pandas as pd

    from evaluation.select import filtered

    path = Root(Path(root))
    frame: pd.DataFrame = store.read_table(path.results).to_pandas()
    frame = frame.sort_values("scored_at", kind="stable").drop_duplicates(KEY, keep="last")
    frame["final"] = frame["checkpoint"].isin({_last_checkpoint(run) for run in _all_runs(path)})
    if sweep is not None:
        runs = _runs_of(path, sweep)
        frame = pd.merge(_runs_frame(runs), frame, on="segment", how="inner")
        frame["final"] = frame["checkpoint"] == frame.pop("last_checkpoint")
    return filtered(frame, where).sort_values(KEY, kind="stable").reset_index(drop=True)


def scored_pairs(root: Root) -> frozenset[tuple[str, str]]:
    """Return (checkpoint, eval) of all rows in the table, named as in work items. No pandas."""
    named = functools.cache(eval_name)  # there are few evals, and many checkpoints
    return frozenset(
        (checkpoint, named(name, data, version))
        for checkpoint, name, data, version in store.read_keys(root.results)
    )


def _runs_frame(runs: Iterable[Run]) -> "pd.DataFrame":
    """Return a row for each (run, segment); axes whose names are columns of the table are left out."""
    import pandas as pd

    from evaluation.arrow import BASE_SCHEMA

    records = [
        {
            "run_id": run.run_id,
            "segment": segment,
            "last_checkpoint": _last_checkpoint(run),
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
