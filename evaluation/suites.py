"""The mean over a suite: that of the main metrics of its evals, only where all of them are there."""

import logging
import math
from typing import TYPE_CHECKING

from conf.schema import EvalConfig
from sweeps.errors import UsageError
from sweeps.items import eval_name

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

KEYS = ["eval", "downstream_dataset", "eval_version"]
KNOWN = ("run_id", "checkpoint", "model", "pretrain_dataset", "samples_seen", "gflops_total", "final")
"""What is repeated of a checkpoint, where the table has it."""


def means(frame: "pd.DataFrame", suite: EvalConfig) -> "pd.DataFrame":
    """Return a row for each checkpoint that has a main metric of the suite.

    Args:
        frame: the results table, as `evaluation.results.load` returns it.
        suite: whose mean.

    Returns:
        What is known of the checkpoint, `num_scores`, and `mean`: the plain mean of the main metrics,
        null while one is missing.

    Raises:
        UsageError: no eval of the suite has a main metric.
    """
    counted = _counted(suite)
    joined = frame.merge(counted, on=KEYS).assign(score=math.nan)
    for metric in set(counted["main_metric"]) & set(joined.columns):
        joined["score"] = joined["score"].mask(joined["main_metric"] == metric, joined[metric])
    _warn_of_unknown(joined)
    joined = joined.dropna(subset="score")
    known = [name for name in KNOWN if name in joined]
    grouped = joined.groupby(known, dropna=False, sort=False)["score"]
    result = grouped.agg(num_scores="count", mean="mean").reset_index()
    result["mean"] = result["mean"].where(result["num_scores"] == len(counted))
    return result


def _warn_of_unknown(joined: "pd.DataFrame") -> None:
    """Say which evals have rows of which none has the main metric: it may be misspelt."""
    named = joined.groupby([*KEYS, "main_metric"], observed=True, sort=False)["score"].count()
    for name, dataset, version, metric in named.index[named == 0]:
        log.warning("%s: no row has its main_metric %r", eval_name(name, dataset, version), metric)


def _counted(suite: EvalConfig) -> "pd.DataFrame":
    import pandas as pd

    rows = [(e.name, e.dataset, e.version, e.main_metric) for e in suite.evals if e.main_metric]
    if not rows:
        raise UsageError(f"no eval of suite {suite.name!r} has a main_metric, so it has no mean")
    return pd.DataFrame(rows, columns=[*KEYS, "main_metric"])
