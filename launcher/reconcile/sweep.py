"""A sweep as the launcher knows it, and the status of its runs."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conf.schema import LaunchConfig
from launcher.machines.executor import executor_for
from launcher.reconcile.deliver import checkpoint_events
from launcher.reconcile.hooks import Hook, read_hooks, wanted_scores
from launcher.reconcile.observe import Observed, observe, observe_files
from launcher.reconcile.state import RunStatus, run_statuses
from launcher.records.ledger import read_history
from sweeps.composing.compose import Request
from sweeps.errors import UsageError
from sweeps.folders import Root, root_of
from sweeps.runs.expansion import Expansion, expand
from sweeps.runs.frozen import standing_cuts
from sweeps.work.events import Event
from sweeps.work.items import CheckpointEvals

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What a sweep is, where it lives, and who is told of it."""

    expansion: Expansion
    launch: LaunchConfig
    root: Root
    hooks: list[Hook]

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.expansion.sweep


def sweep_of(request: Request) -> Sweep:
    """Return the sweep that a command line asks for; nothing is written."""
    root = root_of(request.launch.root)
    return Sweep(
        expansion=expand(request.sweep, request.cells, request.configs, standing_cuts(root)),
        launch=request.launch,
        root=root,
        hooks=read_hooks(request.launch.hooks),
    )


def observe_now(sweep: Sweep) -> Observed:
    """Return what is now; nothing is written. A queue that cannot be asked is unknown."""
    segments, history = sweep.expansion.segments.values(), read_history(sweep.root.ledger)
    if not sweep.root.is_mine:
        log.warning("%s belongs to another user; what is alive is unknown", sweep.root.path)
        return observe_files(sweep.root, segments, history)
    executor = executor_for(sweep.launch.cluster, sweep.launch.policy, sweep.root)
    try:
        return observe(sweep.root, segments, history, executor)
    except UsageError as error:
        log.warning("%s; what is alive is unknown", error)
        return observe_files(sweep.root, segments, history)


def current_statuses(sweep: Sweep) -> list[RunStatus]:
    """Return the status of each run as it is now; nothing is written."""
    observed = observe_now(sweep)
    return statuses_of(sweep, observed, wanted_now(sweep, observed))


def statuses_of(sweep: Sweep, observed: Observed, wanted: Sequence[CheckpointEvals]) -> list[RunStatus]:
    """Return the status of each run, given what was observed and which scores are wanted."""
    return run_statuses(
        sweep.expansion.runs,
        sweep.expansion.segments,
        observed,
        wanted,
        sweep.launch.policy.fruitless_attempts,
    )


def wanted_of(sweep: Sweep, events: Iterable[Event]) -> list[CheckpointEvals]:
    """Return the scores that hooks ask for, of the checkpoints that events tell of."""
    return [task for event in events for task in wanted_scores(sweep.hooks, event)]


def wanted_now(sweep: Sweep, observed: Observed) -> list[CheckpointEvals]:
    """Return the scores that hooks ask for, of the checkpoints that exist."""
    return wanted_of(sweep, checkpoint_events(sweep.root, sweep.expansion, observed.segments))
