"""What a launch does: start what is missing of a sweep; and what a resume does."""

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher import lease, prepare
from launcher.executor import Executor, executor_for
from launcher.ledger import Act, Ledger, Line
from launcher.lock import locked
from launcher.reconciler import Reconciler
from launcher.state import RunStatus, State
from launcher.sweep import Sweep, current_statuses, sweep_of
from sweeps import frozen
from sweeps.compose import Request
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


def launch(request: Request, *, until_complete: bool) -> Launched:
    """Start what is missing of a sweep.

    Args:
        request: the command line's.
        until_complete: make passes until nothing is left to wait for, not one.

    Raises:
        IsogridError: something about the request, the root or the scheduler.
    """
    sweep = sweep_of(request)
    prepare.refuse_impossible(sweep.root, sweep.expansion, sweep.launch.cluster)
    executor = executor_for(sweep.launch.cluster, sweep.launch.policy)
    where = executor.where
    make_folders(sweep.root)
    log.info("sweep %s on %s, root %s", sweep.name, where, sweep.root.path)
    with _reconciler(sweep, executor) as reconciler:
        merge = request.selected or request.overridden
        frozen.freeze(sweep.root, _frozen(sweep), merge=merge)
        prepare.generate_missing(sweep.root, sweep.expansion)
        statuses = reconciler.passes() if until_complete else reconciler.make_pass()
        return Launched(
            num_submissions=reconciler.num_submissions,
            statuses=statuses,
            last_words=reconciler.last_words(statuses),
            failures=reconciler.failed_deliveries(),
        )


def resume(request: Request) -> list[RunStatus]:
    """Let the runs that are held be tried again by the next launch; return them as they were.

    Raises:
        IsogridError: something about the request, the root or the scheduler.
    """
    sweep = sweep_of(request)
    refuse_unusable(sweep.root)
    if not sweep.root.ledger.is_dir():
        return []
    with locked(sweep.root.path, sweep.launch.policy.lock_stale_s):
        held = [s for s in current_statuses(sweep) if s.state is State.held]
        ledger = Ledger(sweep.root.ledger)
        if keys := tuple(dict.fromkeys(key for s in held for key in s.run.segments)):
            attempts = tuple(_last_attempt(sweep.root.segment(key)) for key in keys)
            line = Line(time=time.time(), act=Act.resumed, items=keys, attempts=attempts)
            ledger.append(line)
        ledger.close()
    return held


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


def _frozen(sweep: Sweep) -> FrozenSweep:
    return FrozenSweep(
        expansion=sweep.expansion,
        launch=sweep.launch,
        conf_digest=frozen.conf_digest(),
    )
