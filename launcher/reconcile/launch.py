"""What a launch does: start what is missing of a sweep."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from launcher.machines.executor import Executor, executor_for
from launcher.reconcile import prepare
from launcher.reconcile.asked import Asked, keep
from launcher.reconcile.lock import locked
from launcher.reconcile.reconciler import Reconciler
from launcher.reconcile.refuse import refuse_impossible
from launcher.reconcile.standing import Standing, with_exact_charges
from launcher.reconcile.sweep import Sweep
from launcher.records.ledger import Ledger
from sweeps.costs.layout import num_nodes
from sweeps.errors import UsageError
from sweeps.folders import make_folders

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Launched:
    """What a launch did: submissions made, and how the sweep stands afterwards.

    `last_words`: what hooks of completed runs and sweeps said. `failures`: hooks that failed.
    """

    num_submissions: int
    standing: Standing
    last_words: list[str]
    failures: list[str]


def launch(asked: Asked, *, until_complete: bool) -> Launched:
    """Start what is missing of a sweep.

    Args:
        asked: what to start; all of its sweep is kept under the root, not only what is selected.
        until_complete: make passes until nothing is left to wait for, not one.

    Raises:
        IsogridError: something about the request, the root or the scheduler.
    """
    sweep = asked.sweep
    refuse_impossible(sweep.root, sweep.expansion, sweep.launch.cluster)
    executor = executor_for(sweep.launch.cluster, sweep.launch.policy, sweep.root)
    where = executor.where
    executor.refuse_excess(_most_nodes(sweep))
    make_folders(sweep.root)
    changed = f" with {', '.join(asked.overrides)}" if asked.overrides else ""
    log.info("sweep %s%s on %s, root %s", sweep.name, changed, where, sweep.root.path)
    with _reconciler(asked, executor) as reconciler:
        keep(asked)
        prepare.generate_missing(sweep.root, sweep.expansion)
        standing = reconciler.passes() if until_complete else reconciler.make_pass()
        return Launched(
            num_submissions=reconciler.num_submissions,
            standing=with_exact_charges(standing, sweep.root),
            last_words=reconciler.last_words(standing.statuses),
            failures=reconciler.failed_deliveries(),
        )


def obstacle(sweep: Sweep) -> str:
    """Return why a launch would be refused now, or nothing."""
    try:
        refuse_impossible(sweep.root, sweep.expansion, sweep.launch.cluster)
    except UsageError as error:
        return str(error)
    return ""


def _most_nodes(sweep: Sweep) -> int:
    cluster = sweep.launch.cluster
    return max(num_nodes(run.config.resources, cluster) for run in sweep.expansion.runs)


@contextlib.contextmanager
def _reconciler(asked: Asked, executor: Executor) -> Iterator[Reconciler]:
    sweep, policy = asked.sweep, asked.sweep.launch.policy
    with locked(sweep.root.path, policy.lock_stale_s, policy.lock_wait_s) as lock:
        ledger = Ledger(sweep.root.ledger)
        try:
            yield Reconciler(sweep, executor, ledger, lock, words=asked.arguments)
        finally:
            ledger.close()
