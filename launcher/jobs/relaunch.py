"""A launcher's pass from a job that ends, so that a sweep goes on with nobody at the login node.

Only where the site lets compute nodes submit (`cluster.pass_from_jobs`). What is launched is what the
user typed, by the code in the checkout as it is now; the job counts as gone by then. A pass that fails
harms nothing: whoever launches next does what it left.
"""

import logging
import os
import subprocess
import sys

from launcher.machines import slurm_client
from launcher.machines.queue import Queue
from launcher.records.submission import Submission
from sweeps.errors import QueueUnknown

log = logging.getLogger(__name__)

PASS_TIMEOUT_S = 900.0
ROOT, LOCK_WAIT = "root=", "policy.lock_wait_s="
OWN_WORDS = (ROOT, LOCK_WAIT)
LOCK_WAIT_S = 300.0


def go_on(given: Submission, task: int) -> None:
    """Launch again. Only the last job of a submission waits for a launcher that is at work to end.

    That one may have looked before this job was through; after the others comes another one.
    """
    if not given.cluster.pass_from_jobs:
        return
    is_last = not others_go_on(given, task, _queue(given))
    _launch(given, [f"{LOCK_WAIT}{LOCK_WAIT_S:g}"] if is_last else [])


def others_go_on(given: Submission, task: int, queue: Queue | None) -> bool:
    """Note that a job is through; return whether others of its submission are known not to be.

    Of two that end at once, one finds the other's note. What is killed, or cancelled while it waits,
    leaves none, but the queue does not list it.
    """
    (given.folder / f"ended-{task}").touch()
    return any(
        queue is not None
        and queue.job_of(given.id, other) is not None
        and not (given.folder / f"ended-{other}").exists()
        for other in range(given.num_jobs)
        if other != task
    )


def _queue(given: Submission) -> Queue | None:
    try:
        return slurm_client.ask_queue(given.policy.client_timeout_s)
    except QueueUnknown as error:
        log.warning("%s", error)
        return None


def _launch(given: Submission, more: list[str]) -> None:
    words = [word for word in given.words if not word.startswith(OWN_WORDS)]
    command = [sys.executable, "-m", "launcher", "launch", *words, f"{ROOT}{given.root}", *more]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
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
