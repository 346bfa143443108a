"""A whole sweep on a real Slurm cluster: to the end, through kills, requeues and lost answers."""

import signal
from pathlib import Path

import pytest

from launcher.records.ledger import read_history
from sweeps.folders import Root
from sweeps.work import lease
from sweeps.work.outcome import Outcome
from tests.commands import PATIENCE_S, TINY, gated_by, gated_with_states_by, run, wait_for
from tests.launcher.processes import (
    kill_often,
    refute_difference,
    refute_repetition,
)
from tests.slurm.cluster import SlurmCluster
from tests.training.segments import expansion_of
from training.checkpoints.saved import saved_samples
from training.telemetry.metrics import metrics_path

SWEEP = (*TINY, "cluster=slurm", "policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=30")
LONG = (*SWEEP, "samples_seen=3840")

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def jobs(cluster: SlurmCluster) -> list[list[str]]:
    """Return id, name and number of nodes of each job that trains."""
    shown = cluster.client("squeue", "--me", "--noheader", "-o", "%A %j %D")
    return [line.split() for line in shown.splitlines() if "-train-" in line]


def num_nodes(root: Path, key: str, cluster: SlurmCluster) -> int:
    """Return on how many nodes a segment was trained."""
    held = lease.newest(Root(root).segment(key))
    assert held is not None
    nodes = held.attempt.holder.nodes
    return len(cluster.client("scontrol", "show", "hostnames", nodes).split())


def only_segment(root: Path) -> Path:
    """Return the folder of the only segment once it has metrics of its first attempt."""
    (folder,) = wait_for(lambda: list((root / "segments").glob("*")), "a segment")
    wait_for(metrics_path(folder, 1).exists, "the first step")
    return folder


def test_a_sweep_runs_to_its_report(cluster: SlurmCluster, root: Path, undisturbed: Path) -> None:
    done = run("launcher", "watch", *SWEEP, root=root, env=cluster.env)
    assert done.returncode == 0, done.stderr
    expansion = expansion_of("sweep=tiny")
    assert sorted(num_nodes(root, one.run_id, cluster) for one in expansion.runs) == [1, 2]
    refute_difference(root, undisturbed, expansion)
    assert (root / "reports" / "tiny" / "law.html").exists()
    again = run("launcher", *SWEEP, root=root, env=cluster.env)
    assert "nothing to do: every run is done" in again.stdout


def test_kills_at_random_moments_change_no_bit_and_no_score(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    words = ("watch", *SWEEP, "policy.fruitless_attempts=20")
    kill_often(root, *words, seed=1, env=cluster.env)
    done = run("launcher", *words, root=root, env=cluster.env)
    assert done.returncode == 0, done.stderr
    refute_difference(root, undisturbed, expansion_of("sweep=tiny"))


def test_a_job_at_its_time_limit_that_may_not_be_requeued_has_another_one_follow_it(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    gated = gated_with_states_by(root.parent / "gate")
    alone = ("+cluster.sbatch.no-requeue=''", "cluster.pass_from_jobs=true")
    words = (*LONG, *gated, *alone)
    assert run("launcher", *words, root=root, env=cluster.env).returncode == 0
    folder = only_segment(root)
    ((job_id, name, _),) = jobs(cluster)
    wait_for(lambda: saved_samples(folder, "state"), "a state")
    saved = max(saved_samples(folder, "state"))
    cluster.client("scancel", "--batch", "--signal=USR1", job_id)
    wait_for((folder / "stop-1").exists, "the request to stop")
    (root.parent / "gate").touch()
    wait_for(lambda: [*root.glob("reports/*/law.html")], "the report", timeout_s=2 * PATIENCE_S)
    said = (Root(root).submission(name) / "0.log").read_text()
    assert "not requeued (scontrol failed: Requested operation is presently disabled" in said
    known = lease.newest(folder)
    assert known is not None
    first, second = known.attempts
    assert (first.outcome, first.holder.job_id) == (Outcome.time_limit, job_id)
    assert (second.outcome, second.holder.restart) == (Outcome.done, 0)
    assert second.holder.job_id != job_id
    refute_repetition(folder, saved)
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=3840", *gated))


@pytest.mark.parametrize("how", ["cancel", "scancel"])
def test_what_the_user_cancels_is_saved_and_stays_cancelled_until_resume(
    cluster: SlurmCluster, root: Path, tmp_path: Path, how: str
) -> None:
    words = (*LONG, *gated_by(tmp_path / "gate"))
    assert run("launcher", *words, root=root, env=cluster.env).returncode == 0
    folder = only_segment(root)
    if how == "cancel":
        run("launcher", "cancel", *words, root=root, env=cluster.env)
    else:
        cluster.client("scancel", jobs(cluster)[0][0])
    wait_for((folder / "stop-1").exists, "the request to stop")
    (tmp_path / "gate").touch()
    wait_for(lambda: not jobs(cluster), "the job to end")
    assert saved_samples(folder, "state") != []
    assert "1 cancelled" in run("launcher", *words, root=root, env=cluster.env).stdout
    assert jobs(cluster) == []
    run("launcher", "resume", *words, root=root, env=cluster.env)
    assert "1 done" in run("launcher", "watch", *words, root=root, env=cluster.env).stdout


def test_nothing_is_submitted_while_the_queue_cannot_be_asked(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    words = (*LONG, *gated_by(tmp_path / "gate"))
    assert run("launcher", *words, root=root, env=cluster.env).returncode == 0
    only_segment(root)
    cluster.daemon("slurmctld").send_signal(signal.SIGSTOP)
    try:
        done = run("launcher", *words, "policy.client_timeout_s=2", root=root, env=cluster.env)
    finally:
        cluster.daemon("slurmctld").send_signal(signal.SIGCONT)
    assert "did not answer in 2 s" in done.stderr
    assert len(read_history(Root(root).ledger).submissions) == 2
    wait_for(lambda: len(jobs(cluster)) == 1, "the controller to answer again")
    (tmp_path / "gate").touch()
