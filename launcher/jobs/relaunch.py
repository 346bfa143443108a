"""A launcher's pass from a job that ends, so that a sweep goes on with nobody at the login node.

Only where the site lets compute nodes submit (`cluster.pass_from_jobs`). What is launched is what the
user typed, by the code in the checkout as it is now. A pass that fails harms nothing: whoever launches
next does what it left.
"""

import logging
import subprocess
import sys
from collections.abc import Iterable

from launcher.machines.slurm_client import clean_environment
from launcher.records.submission import Submission
from sweeps.work.items import TrainItem
from training.checkpoints.done import done_path

log = logging.getLogger(__name__)

PASS_TIMEOUT_S = 900.0
ROOT, LOCK_WAIT = "root=", "policy.lock_wait_s="
OWN_WORDS = (ROOT, LOCK_WAIT)
LOCK_WAIT_S = 300.0
"""Who ends last waits for the passes of others, which may have looked before it was done."""


def go_on(given: Submission, task: int) -> None:
    """Launch again if this was the last job of its submission, or others may wait for what it did."""
    if not given.cluster.pass_from_jobs:
        return
    if _is_last(given, task):
        _launch(given, [f"{LOCK_WAIT}{LOCK_WAIT_S:g}"])
    elif _may_be_waited_for(given, given.indices(task)):
        _launch(given, [])


def _is_last(given: Submission, task: int) -> bool:
    """Note that a job is through; return whether all are. Of two that end at once, one sees both."""
    (given.folder / f"ended-{task}").touch()
    return len(list(given.folder.glob("ended-*"))) == given.num_jobs


def _may_be_waited_for(given: Submission, indices: Iterable[int]) -> bool:
    """Return whether a segment was trained from whose end a later one may start."""
    return any(
        isinstance(item := given.items[index], TrainItem)
        and item.segment.keep_state
        and done_path(given.item_folder(index)).exists()
        for index in indices
    )


def _launch(given: Submission, more: list[str]) -> None:
    words = [word for word in given.words if not word.startswith(OWN_WORDS)]
    command = [sys.executable, "-m", "launcher", "launch", *words, f"{ROOT}{given.root}", *more]
    environment = {k: v for k, v in clean_environment().items() if k != "PYTHONSAFEPATH"}
    try:
        done = subprocess.run(
            command,
            cwd=given.checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=PASS_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("no pass was made from this job: %s", error)
        return
    log.info("a pass was made from this job; it ended with status %d", done.returncode)
