"""Small trainings share a node where nodes are allocated whole, and do not disturb one another."""

from pathlib import Path

import pytest

from launcher.records.ledger import read_history
from sweeps.folders import Root
from sweeps.work import lease
from sweeps.work.lease import Lease
from sweeps.work.outcome import Outcome
from tests.commands import OWN_CONF, gated_by, run, wait_for
from tests.launcher.processes import RANK, expected_scores, processes, scores_of
from tests.slurm.cluster import SlurmCluster
from tests.training.segments import expansion_of
from training.checkpoints.saved import saved_samples

NODE = ("cluster.gpus_per_node=4", "cluster.cores_per_node=8", "cluster.charged_cores_per_node=8")
SWEEP = (OWN_CONF, "sweep=packed", "cluster=slurm", *NODE, "policy.client_timeout_s=30")
SIZE = 4

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def launched(cluster: SlurmCluster, root: Path, *words: str) -> str:
    """Launch runs behind a gate; return the job id once all have made their first step."""
    done = run("launcher", *words, root=root, env=cluster.env)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: len(list(root.glob("segments/*/metrics-1.jsonl"))) == SIZE, "the first steps")
    shown = cluster.client("squeue", "--me", "--noheader", "-o", "%A %j %D %T").splitlines()
    ((job_id, _, num_nodes, _),) = [line.split() for line in shown if "-train-" in line]
    assert num_nodes == "1"
    return job_id


def wait_for_the_end(cluster: SlurmCluster) -> None:
    def is_empty() -> bool:
        return not cluster.client("squeue", "--me", "--noheader")

    wait_for(is_empty, "all jobs to end")


def leases(root: Path) -> dict[str, Lease]:
    """Return the leases of the runs by segment."""
    folders = Root(root).segments.iterdir()
    return {folder.name: held for folder in folders if (held := lease.newest(folder))}


def test_four_runs_share_a_node_and_one_of_them_is_cancelled_alone(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    gated = gated_by(tmp_path / "gate")
    job_id = launched(cluster, root, *SWEEP, *gated)
    (cancelled,) = expansion_of("sweep=packed", "seed=1", *gated).segments
    gpus = [process.environ()["CUDA_VISIBLE_DEVICES"] for process in processes(root, RANK)]
    assert sorted(gpus) == ["0", "1", "2", "3"]
    run("launcher", "cancel", *SWEEP, *gated, "seed=1", root=root, env=cluster.env)
    wait_for((Root(root).segment(cancelled) / "stop-1").exists, "the request to stop")
    (tmp_path / "gate").touch()
    wait_for_the_end(cluster)
    held = leases(root)
    assert {one.attempt.holder.job_id for one in held.values()} == {job_id}
    assert held.pop(cancelled).attempt.outcome is Outcome.cancelled
    assert saved_samples(Root(root).segment(cancelled), "state") != []
    assert [one.attempt.outcome for one in held.values()] == [Outcome.done] * (SIZE - 1)
    assert {one.attempt.num_cores for one in held.values()} == {8 / SIZE}
    shown = run("launcher", "status", *SWEEP, *gated, root=root, env=cluster.env).stdout
    assert "4 runs: 1 cancelled, 3 done" in shown
    training, scorers = read_history(Root(root).ledger).submissions.values()
    assert (training.pack, scorers.pack) == (SIZE, SIZE)


def test_a_shared_job_at_its_time_limit_goes_back_into_the_queue_once(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    gated = gated_by(tmp_path / "gate")
    job_id = launched(cluster, root, *SWEEP, *gated)
    cluster.client("scancel", "--batch", "--signal=USR1", job_id)
    wait_for(lambda: len(list(root.glob("segments/*/stop-1"))) == SIZE, "the requests to stop")
    (tmp_path / "gate").touch()
    wait_for_the_end(cluster)
    for one in leases(root).values():
        ends = [(a.outcome, a.holder.job_id, a.holder.restart) for a in one.attempts]
        assert ends == [(Outcome.time_limit, job_id, 0), (Outcome.done, job_id, 1)]
    scores = scores_of(root)
    assert set(scores) == expected_scores(expansion_of("sweep=packed", *gated))
    assert set(scores.values()) == {1}
