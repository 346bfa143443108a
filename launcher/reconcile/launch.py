"""What a launch does: start what is missing of a sweep; and what a resume does."""

import contextlib
import logging
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.machines.executor import Executor, executor_for
from launcher.reconcile import prepare
from launcher.reconcile.deliver import failed_deliveries
from launcher.reconcile.lock import locked
from launcher.reconcile.reconciler import Reconciler
from launcher.reconcile.refuse import refuse_impossible
from launcher.reconcile.reuse import standing_cuts
from launcher.reconcile.state import RunStatus, State, live_jobs
from launcher.reconcile.sweep import Sweep, current_statuses, sweep_of
from launcher.records import lease
from launcher.records.ledger import Act, Ledger, Line
from sweeps import frozen
from sweeps.compose import Request, WholeRequest
from sweeps.errors import UsageError
from sweeps.expansion import Expansion, Run, expand
from sweeps.folders import make_folders, refuse_unusable
from sweeps.frozen import FrozenSweep

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Launched:
    """What a launch did: submissions made, and the runs' status afterwards.

    `last_words`: what hooks of completed runs and sweeps said. `failures`: hooks that failed.
    """

    num_submissions: int
    statuses: list[RunStatus]
    last_words: list[str]
    failures: list[str]


def launch(whole: WholeRequest, *, until_complete: bool) -> Launched:
    """Start what is missing of a sweep.

    Args:
        whole: the command line's; all of its sweep is kept under the root, not only what it selects.
        until_complete: make passes until nothing is left to wait for, not one.

    Raises:
        IsogridError: something about the request, the root or the scheduler.
    """
    request = whole.request
    sweep = sweep_of(request)
    refuse_impossible(sweep.root, sweep.expansion, sweep.launch.cluster)
    everything = sweep.expansion
    if len(whole.cells) > len(request.cells):
        everything = expand(sweep.name, whole.cells, whole.configs, standing_cuts(sweep.root))
    executor = executor_for(sweep.launch.cluster, sweep.launch.policy)
    where = executor.where
    make_folders(sweep.root)
    changed = f" with {', '.join(request.overrides)}" if request.overrides else ""
    log.info("sweep %s%s on %s, root %s", sweep.name, changed, where, sweep.root.path)
    with _reconciler(sweep, executor) as reconciler:
        frozen.freeze(sweep.root, _frozen(everything, request))
        prepare.generate_missing(sweep.root, sweep.expansion)
        statuses = reconciler.passes() if until_complete else reconciler.make_pass()
        return Launched(
            num_submissions=reconciler.num_submissions,
            statuses=statuses,
            last_words=reconciler.last_words(statuses),
            failures=reconciler.failed_deliveries(),
        )


CANCELLABLE = set(State) - {State.done, State.trained, State.cancelled}
RELEASABLE = {State.held, State.cancelled}


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """What a resume lets be tried again: runs, as they were, and failed hooks, in words."""

    runs: list[RunStatus]
    hooks: list[str]


def obstacle(sweep: Sweep) -> str:
    """Return why a launch would be refused now, or nothing."""
    try:
        refuse_impossible(sweep.root, sweep.expansion, sweep.launch.cluster)
    except UsageError as error:
        return str(error)
    return ""


def resume(request: Request) -> Released:
    """Let runs that are held or cancelled, and hooks that failed, be tried again by the next launch.

    Raises:
        IsogridError: something about the request, the root or the scheduler.
    """
    sweep = sweep_of(request)
    refuse_unusable(sweep.root)
    if not sweep.root.ledger.is_dir():
        return Released(runs=[], hooks=[])
    held = [s for s in current_statuses(sweep) if s.state in RELEASABLE]
    keys = tuple(dict.fromkeys(key for s in held for key in s.run.segments))
    with contextlib.closing(Ledger(sweep.root.ledger)) as ledger:
        hooks = failed_deliveries(ledger.history)
        if keys or hooks:
            attempts = tuple(_last_attempt(sweep.root.segment(key)) for key in keys)
            line = Line(time=time.time(), act=Act.resumed, items=keys, attempts=attempts)
            ledger.append(line)
    return Released(runs=held, hooks=hooks)


def cancel(request: Request) -> list[RunStatus]:
    """End what is alive of runs, and start nothing of them until `resume`; return them as they were.

    What other runs of the sweep need too goes on. A launcher that is at work takes note at its next
    pass, and ends what it may just have submitted.

    Raises:
        IsogridError: something about the request, the root or the scheduler.
    """
    sweep = sweep_of(request)
    refuse_unusable(sweep.root)
    if not sweep.root.ledger.is_dir():
        return []
    unfinished = [s for s in current_statuses(sweep) if s.state in CANCELLABLE]
    with contextlib.closing(Ledger(sweep.root.ledger)) as ledger:
        keys = _only_of([status.run for status in unfinished], sweep, ledger.history.cancelled)
        if keys:
            ledger.append(Line(time=time.time(), act=Act.cancelled, items=tuple(sorted(keys))))
        executor = executor_for(sweep.launch.cluster, sweep.launch.policy)
        for job_id in live_jobs(keys, ledger.history, executor.queue()):
            executor.stop(job_id)
    return unfinished


def _only_of(runs: Sequence[Run], sweep: Sweep, cancelled: Collection[str]) -> set[str]:
    """Return the segments of some runs that no other run needs, of those that are still wanted."""
    known = frozen.load(sweep.root, sweep.name)
    unwanted = {*cancelled, *(run.run_id for run in runs)}
    others = [run for run in known.expansion.runs if run.run_id not in unwanted] if known else []
    needed = {key for run in others for key in run.segments}
    return {key for run in runs for key in run.segments} - needed


def _last_attempt(folder: Path) -> int:
    held = lease.newest(folder)
    return held.attempt.number if held else 0


@contextlib.contextmanager
def _reconciler(sweep: Sweep, executor: Executor) -> Iterator[Reconciler]:
    with locked(sweep.root.path, sweep.launch.policy.lock_stale_s) as lock:
        ledger = Ledger(sweep.root.ledger)
        try:
            yield Reconciler(sweep, executor, ledger, lock)
        finally:
            ledger.close()


def _frozen(expansion: Expansion, request: Request) -> FrozenSweep:
    return FrozenSweep(
        expansion=expansion,
        overrides=request.overrides,
        launch=request.launch,
        conf_digest=frozen.conf_digest(),
    )
