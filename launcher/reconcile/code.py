"""The code that the jobs of a sweep run, and which copies of it are still needed."""

import logging
from pathlib import Path

from launcher.provenance import snapshot
from launcher.provenance.snapshot import Snapshot
from launcher.reconcile.sweep import Sweep
from launcher.records import submission
from launcher.records.ledger import History, SubmissionState
from sweeps.errors import DamagedFile
from sweeps.folders import Root

log = logging.getLogger(__name__)


def code_of(sweep: Sweep, history: History) -> Snapshot:
    """Return the code that the sweep's jobs run from now on, and delete what no job needs any more."""
    configs = [run.config for run in sweep.expansion.runs]
    procedures = {config.procedure._target_ for config in configs}
    evaluators = {spec._target_ for config in configs for spec in config.eval.evals}
    taken = snapshot.take(sweep.root, procedures | evaluators)
    if old := set(snapshot.older(sweep.root)) - {taken.folder}:
        _delete_unused(old, sweep.root, history)
    return taken


def _delete_unused(old: set[Path], root: Root, history: History) -> None:
    alive = [r.id for r in history.submissions.values() if r.state is not SubmissionState.over]
    try:
        used = {submission.read(root.submission(name)).code for name in alive}
    except DamagedFile as error:
        log.warning("old copies of the code are kept: %s", error)
        return
    snapshot.delete(root, old - used)
