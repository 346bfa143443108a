"""What becomes of a sweep when slurmctld dies, hangs or is away, each caused for real."""

import signal
import time
from pathlib import Path

import psutil
import pytest

from launcher.records.ledger import SubmissionRecord, SubmissionState, read_history
from sweeps.folders import Root
from sweeps.work.outcome import Outcome
from tests.commands import OWN_CONF, PATIENCE_S, gated_by, run, start, wait_for
from tests.launcher.evidence import census, outcomes, refute_doubles, trainings
from tests.launcher.processes import SUPERVISOR, processes
from tests.slurm.cluster import SlurmCluster
from tests.slurm.shims import shimmed
from training.telemetry.metrics import metrics_path

EIGHT = (OWN_CONF, "sweep=eight", "cluster=slurm", "policy.poll_s=0.5", "policy.settle_s=1")
TWO = (*EIGHT, "seed=0,1")
AWAY_S = 60.0

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def have_begun(root: Path, num_runs: int) -> bool:
    """Return whether so many segments have made their first step."""
    return sum(metrics_path(p, 1).exists() for p in root.glob("segments/*")) == num_runs


def first_submission(root: Path) -> SubmissionRecord:
    """Return what the ledger knows of the first submission, which trains."""
    return next(iter(read_history(Root(root).ledger).submissions.values()))


def test_a_controller_that_is_away_under_eight_jobs_doubles_none_and_loses_none(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    words = (*EIGHT, *gated_by(tmp_path / "gate"), "policy.client_timeout_s=10")
    assert run("launcher", *words, root=root, env=cluster.env).returncode == 0
    wait_for(lambda: have_begun(root, 8), "eight running jobs")
    with census(root):
        watching = start("launcher", "watch", *words, root=root, env=cluster.env)
        wait_for((root / "lock.2").exists, "the launcher to watch")
        cluster.kill_controller()
        time.sleep(AWAY_S)
        at_its_limit = processes(root, SUPERVISOR)[0]
        at_its_limit.send_signal(signal.SIGUSR1)
        wait_for(lambda: [*root.glob("segments/*/stop-1")], "the request to stop")
        (tmp_path / "gate").touch()
        wait_for(lambda: at_its_limit not in processes(root, SUPERVISOR), "a job to end")
        cluster.start_controller()
        assert watching.wait(PATIENCE_S) == 0
    *others, requeued_by_nobody = sorted(outcomes(root).values(), key=len)
    assert others == [[Outcome.done]] * 7
    assert requeued_by_nobody == [Outcome.time_limit, Outcome.done]
    assert len(trainings(root)) == 8 + 1
    refute_doubles(root)


def test_a_controller_that_hangs_in_sbatch_files_the_job_later_and_once(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    words = (*TWO, *gated_by(tmp_path / "gate"), "policy.client_timeout_s=15")
    controller = cluster.daemon("slurmctld")
    env = shimmed(tmp_path, f'kill -STOP {controller.pid}; sbatch "$@"', cluster.env)
    try:
        hung = run("launcher", *words, root=root, env=env)
        assert "whether it became a job will be seen" in hung.stderr
        watching = start("launcher", "watch", *words, root=root, env=cluster.env)
        wait_for(psutil.Process(watching.pid).children, "a client that waits for the controller")
    finally:
        controller.send_signal(signal.SIGCONT)
    with census(root):
        wait_for(lambda: first_submission(root).state is SubmissionState.submitted, "its adoption")
        (tmp_path / "gate").touch()
        assert watching.wait(PATIENCE_S) == 0
    assert list(outcomes(root).values()) == [[Outcome.done]] * 2
    assert len(trainings(root)) == 2
    refute_doubles(root)
