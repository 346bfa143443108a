"""What the user no longer wants of a sweep, and wants again: `cancel` and `resume`.

Both write a line into the ledger. Launchers and supervisors act on it, so it holds whether or not the
scheduler answers now.
"""

import contextlib
import logging
import time
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.machines.executor import executor_for
from launcher.reconcile.apply import end
from launcher.reconcile.deliver import failed_deliveries
from launcher.reconcile.state import RunStatus, State
from launcher.reconcile.sweep import Sweep, current_statuses
from launcher.reconcile.unwanted import unwanted_jobs
from launcher.records.ledger import Act, History, Ledger, Line
from sweeps.errors import QueueUnknown
from sweeps.folders import Root, refuse_unusable
from sweeps.runs import frozen
from sweeps.work import lease
from training.checkpoints.done import done_path
from training.checkpoints.saved import saved_samples

log = logging.getLogger(__name__)

CANCELLABLE = set(State) - {State.done, State.cancelled}
RELEASABLE = {State.held, State.cancelled}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stance:
    """A run as it was before the user spoke, and how far it has safely come.

    `samples`: training goes on from there. `is_trained`: only scores are missing. `needed_by`: the
    sweeps that have other runs which need some unfinished part of it, and are wanted.
    """

    status: RunStatus
    samples: int
    is_trained: bool
    needed_by: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """What a resume lets be tried again: runs, and failed hooks, in words."""

    runs: list[Stance]
    hooks: list[str]


def resume(sweep: Sweep) -> Released:
    """Let runs that are held or cancelled, and hooks that failed, be tried again by the next launch.

    Raises:
        IsogridError: something about the root or the scheduler.
    """
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
    return Released(runs=[_stance(sweep.root, status, {}) for status in held], hooks=hooks)


def cancel(sweep: Sweep) -> list[Stance]:
    """End what is alive of runs, and start nothing of them until `resume`; return them as they were.

    What other runs of launched sweeps need too goes on. A launcher that is at work takes note at its
    next pass, and ends what it may just have submitted.

    Raises:
        IsogridError: something about the root.
    """
    refuse_unusable(sweep.root)
    if not sweep.root.ledger.is_dir():
        return []
    unfinished = [s for s in current_statuses(sweep) if s.state in CANCELLABLE]
    with contextlib.closing(Ledger(sweep.root.ledger)) as ledger:
        unwanted = {*ledger.history.cancelled, *(status.run.run_id for status in unfinished)}
        needed = _needed(sweep.root, unwanted)
        stances = [_stance(sweep.root, status, needed) for status in unfinished]
        if keys := {key for s in unfinished for key in s.run.segments} - needed.keys():
            ledger.append(Line(time=time.time(), act=Act.cancelled, items=tuple(sorted(keys))))
        _end(keys, ledger.history, sweep)
    return stances


def _end(keys: Collection[str], history: History, sweep: Sweep) -> None:
    """End the jobs that work on some segments, as far as the scheduler can be asked now."""
    executor = executor_for(sweep.launch.cluster, sweep.launch.policy, sweep.root)

    def is_done(key: str) -> bool:
        return done_path(sweep.root.segment(key)).exists()

    try:
        queue = executor.queue()
    except QueueUnknown as error:
        log.warning("%s; the cancel is noted, and the next launch ends what is alive", error)
        return
    end(unwanted_jobs(keys, history, queue, is_done), sweep.root, executor)


def _needed(root: Root, unwanted: Container[str]) -> dict[str, set[str]]:
    """Return the segments that runs of launched sweeps need, except some runs, and in which sweeps."""
    needed: dict[str, set[str]] = {}
    for name in frozen.launched(root):
        known = frozen.load(root, name)
        for run in known.expansion.runs if known else ():
            for key in run.segments if run.run_id not in unwanted else ():
                needed.setdefault(key, set()).add(name)
    return needed


def _stance(root: Root, status: RunStatus, needed: Mapping[str, set[str]]) -> Stance:
    is_trained = done_path(root.segment(status.run.run_id)).exists()
    shared = [k for k in status.run.segments if k in needed and not done_path(root.segment(k)).exists()]
    states = (saved_samples(root.segment(key), "state") for key in reversed(status.run.segments))
    samples = next((saved[-1] for saved in states if saved), 0)
    return Stance(
        status=status,
        samples=samples,
        is_trained=is_trained,
        needed_by=tuple(sorted({name for key in shared for name in needed[key]})),
    )


def _last_attempt(folder: Path) -> int:
    held = lease.newest(folder)
    return held.attempt.number if held else 0
