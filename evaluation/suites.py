"""The mean over a suite: that of the main metrics of its evals, only where all of them are there."""

import logging
import math
from dataclasses import fields
from typing import TYPE_CHECKING

from conf.schema import EvalConfig
from evaluation.results.rows import Row
from sweeps.errors import UsageError
from sweeps.work.items import eval_name

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

KEYS = ["eval", "downstream_dataset", "eval_version"]
CHECKPOINT = "checkpoint"
OF_EVALS = {*KEYS, "scored_at", "schema", "metrics"}


def means(frame: "pd.DataFrame", suite: EvalConfig) -> "pd.DataFrame":
    """Return a row for each checkpoint that has a main metric of the suite.

    Args:
        frame: the results table, as `evaluation.results.load` returns it.
        suite: whose mean.

    Returns:
        What is known of the checkpoint, `num_scores`, and `mean`: the plain mean of the main metrics,
        null while one is missing.

    Raises:
        UsageError: no eval of the suite has a main metric, or the table does not say which eval a row
            is of.
    """
    from evaluation.results.select import require_known

    counted = _counted(suite)
    require_known([CHECKPOINT, *KEYS], frame.columns)
    joined = frame.merge(counted, on=KEYS).assign(score=math.nan)
    for metric in set(counted["main_metric"]) & set(joined.columns):
        joined["score"] = joined["score"].mask(joined["main_metric"] == metric, joined[metric])
    _warn_of_unknown(joined)
    joined = joined.dropna(subset="score")
    grouped = joined.groupby(
        [name for name in ("run_id", CHECKPOINT) if name in joined],
        sort=False,
        observed=True,
        dropna=False,  # what was imported is of no run
    )
    scores = grouped["score"].agg(num_scores="count", mean="mean")
    result = grouped[_known(frame)].first().join(scores).reset_index()
    result["mean"] = result["mean"].where(result["num_scores"] == len(counted))
    return result


def _known(frame: "pd.DataFrame") -> list[str]:
    """Return the columns that say something of a checkpoint: of a row, or of an axis of the grid."""
    from pandas.api.types import is_float_dtype

    facts = {field.name for field in fields(Row)}
    metrics = {name for name in frame.columns if name not in facts and is_float_dtype(frame[name])}
    return [n for n in frame.columns if n not in {*metrics, *OF_EVALS, "run_id", CHECKPOINT}]


def _warn_of_unknown(joined: "pd.DataFrame") -> None:
    """Say which evals have rows of which none has the main metric: it may be misspelt."""
    named = joined.groupby([*KEYS, "main_metric"], observed=True, sort=False)["score"].count()
    for name, dataset, version, metric in named.index[named == 0]:
        log.warning("%s: no row has its main_metric %r", eval_name(name, dataset, version), metric)


def _counted(suite: EvalConfig) -> "pd.DataFrame":
    import pandas as pd

    rows = [(e.name, e.dataset, e.version, e.main_metric) for e in suite.evals if e.main_metric]
    if not rows:
        raise UsageError(
            f"no eval of suite {suite.name!r} has a main_metric, so it has no mean: "
            f"name one of each that is to count, in conf/eval/{suite.name}.yaml"
        )
    return pd.DataFrame(rows, columns=[*KEYS, "main_metric"])
