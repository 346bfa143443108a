"""What the user ends in the queue themselves: it stays ended until they resume it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.schema import ClusterConfig, ClusterKind, PolicyConfig
from launcher.machines.accounting import ask_ends
from launcher.machines.slurm import SlurmExecutor
from launcher.machines.slurm_client import ask_queue
from launcher.reconcile.apply import end
from launcher.reconcile.unwanted import Unwanted
from sweeps.folders import Root
from sweeps.work.outcome import Outcome
from tests.commands import TINY, run, wait_for
from tests.slurm.cluster import SlurmCluster

NARROW = ("resources.num_ranks=1", "resources.ranks_per_node=1")
SWEEP = (*TINY, "cluster=slurm", "policy.client_timeout_s=30", *NARROW)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.fixture
def closed(slurm: SlurmCluster) -> Iterator[SlurmCluster]:
    """The cluster, on which jobs may wait but not start."""
    slurm.client("scontrol", "update", "partitionname=main", "state=down")
    yield slurm
    slurm.client("scancel", "--me")
    slurm.client("scontrol", "update", "partitionname=main", "state=up")
    wait_for(lambda: not slurm.client("squeue", "--me", "--noheader"), "the queue to be empty")


def slurm_of(root: Root, timeout_s: float) -> SlurmExecutor:
    """Return the cluster as it is seen by a launcher with so much patience."""
    cluster = ClusterConfig(name="slurm", kind=ClusterKind.slurm)
    return SlurmExecutor(cluster, PolicyConfig(client_timeout_s=timeout_s), root)


def trainings(cluster: SlurmCluster) -> list[str]:
    """Return the ids of the tasks that wait to train."""
    shown = cluster.client("squeue", "--me", "--noheader", "--array", "-o", "%i %j")
    return [line.split()[0] for line in shown.splitlines() if "-train-" in line]


@pytest.mark.parametrize(("task", "others"), [("", "2 cancelled"), ("_0", "1 queued, 1 cancelled")])
def test_what_is_cancelled_while_it_waits_stays_cancelled_until_resume(
    closed: SlurmCluster, root: Path, task: str, others: str
) -> None:
    assert run("launcher", *SWEEP, root=root, env=closed.env).returncode == 0
    waiting = trainings(closed)
    assert len(waiting) == 2
    closed.client("scancel", waiting[0].partition("_")[0] + task)
    for _ in range(2):
        assert others in run("launcher", *SWEEP, root=root, env=closed.env).stdout
    assert trainings(closed) == waiting[1:] if task else trainings(closed) == []
    assert others in run("launcher", "status", *SWEEP, root=root, env=closed.env).stdout
    run("launcher", "resume", *SWEEP, root=root, env=closed.env)
    assert "2 queued" in run("launcher", *SWEEP, root=root, env=closed.env).stdout
    assert len(trainings(closed)) == 2


def test_a_scheduler_that_does_not_answer_is_told_to_end_jobs_by_the_next_pass(
    closed: SlurmCluster, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLURM_CONF", closed.env["SLURM_CONF"])
    words = ("--parsable", "--wrap=true", "--output=/dev/null")
    ids = [closed.client("sbatch", *words).strip() for _ in range(2)]
    unwanted = [Unwanted(job_id=job_id, submission="s") for job_id in ids]
    controller = closed.daemon("slurmctld")
    controller.send_signal(signal.SIGSTOP)
    try:
        end(unwanted, Root(root), slurm_of(Root(root), timeout_s=1))
    finally:
        controller.send_signal(signal.SIGCONT)
    assert "scancel did not answer in 1 s; the next pass ends" in caplog.text
    end(unwanted, Root(root), slurm_of(Root(root), timeout_s=30))
    wait_for(lambda: not ask_queue(30).jobs, "the jobs to end")


def test_accounting_still_knows_what_the_controller_forgets(
    slurm_with_limits: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", slurm_with_limits.env["SLURM_CONF"])
    words = (
        "--parsable",
        "--hold",
        "--array=0-2",
        "--wrap=true",
        "--output=/dev/null",
        "--job-name=mine",
    )
    job_id = slurm_with_limits.client("sbatch", *words).strip()
    slurm_with_limits.client("scancel", job_id)
    known = wait_for(
        lambda: [line for line in ask_ends([job_id, "99999"], 30) if line.name == "mine"],
        "accounting to have it, and its name",
    )
    assert [(line.indices, line.outcome) for line in known] == [
        (frozenset({0, 1, 2}), Outcome.cancelled)
    ]


def test_without_accounting_the_controller_tells_for_a_while_and_sacct_fails_silently(
    closed: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", closed.env["SLURM_CONF"])
    words = ("--parsable", "--array=0-2", "--wrap=true", "--output=/dev/null", "--job-name=a | b")
    job_id = closed.client("sbatch", *words).strip()
    closed.client("scancel", job_id)
    (line,) = [line for line in ask_queue(30).ended if line.job_id == job_id]
    assert (line.name, line.indices, line.outcome) == ("a | b", frozenset({0, 1, 2}), Outcome.cancelled)
    assert ask_ends([job_id], 30) == []
