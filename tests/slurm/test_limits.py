"""What a cluster with accounting refuses: for now, which means waiting, or for good."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.machines.accounting import Charge, SubmitLimit, ask_accounts
from launcher.records.ledger import Act, read_history
from sweeps.folders import Root
from tests.commands import TINY, run, wait_for
from tests.slurm.cluster import SlurmCluster, running_cluster

FAST = ("policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=30")
SWEEP = (*TINY, "cluster=slurm", *FAST)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_what_does_not_fit_a_submit_limit_waits_and_is_no_failure(
    slurm_with_limits: SlurmCluster, root: Path
) -> None:
    listed = ("squeue", "--me", "--noheader")
    wait_for(lambda: not slurm_with_limits.client(*listed), "the jobs of other tests to be over")
    others = ("--hold", "--job-name=others", "--array=0-1", "--wrap=true", "--output=/dev/null")
    slurm_with_limits.client("sbatch", "--qos=few", *others)
    words = (*SWEEP, "cluster.qos=few", "resources.num_ranks=1", "resources.ranks_per_node=1")
    try:
        once = run("launcher", *words, root=root, env=slurm_with_limits.env)
    finally:
        slurm_with_limits.client("scancel", "--name=others")
    assert once.returncode == 0, once.stderr
    assert "limits on jobs leave no room for more of yours now; waiting: 1 run" in once.stderr
    assert Act.deferred.value not in ledger_text(root)
    assert "1 waiting, 1 queued" in once.stdout
    assert len(list(Root(root).submissions.iterdir())) == 1
    done = run("launcher", "watch", *words, root=root, env=slurm_with_limits.env)
    assert done.returncode == 0, done.stderr
    assert "2 runs: 2 done" in done.stdout


def test_the_limits_of_accounts_above_and_by_account_are_read(
    slurm_with_limits: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", slurm_with_limits.env["SLURM_CONF"])
    assert set(ask_accounts("lab", 30).limits) == {
        SubmitLimit(most=500, charge=Charge(account="institute"), below=("lab",)),
        SubmitLimit(most=3, charge=Charge(qos="few")),
        SubmitLimit(most=400, charge=Charge(account="lab", qos="few")),
        SubmitLimit(most=400, charge=Charge(account="root", qos="few")),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["cluster.qos=nope"], "Choose cluster.qos from: few, normal, urgent"),
        (["cluster.account=nope"], "Choose cluster.account from: lab"),
        (["cluster.qos=few", "cluster.time_min=601"], "QOSMaxWallDurationPerJobLimit"),
    ],
    ids=["an unknown qos", "an unknown account", "longer than the qos allows"],
)
def test_what_sbatch_refuses_stops_the_launch_with_what_to_change(
    slurm_with_limits: SlurmCluster, root: Path, options: list[str], message: str
) -> None:
    done = run("launcher", "watch", *SWEEP, *options, root=root, env=slurm_with_limits.env)
    assert done.returncode == 1
    assert message in done.stderr
    assert not [*Root(root).submissions.iterdir()]
    records = read_history(Root(root).ledger).submissions.values()
    assert not any(record.was_accepted for record in records)
    assert Act.refused.value in ledger_text(root)


def ledger_text(root: Path) -> str:
    return "".join(path.read_text() for path in Root(root).ledger.iterdir())


@pytest.fixture
def short_partition(slurm_with_limits: SlurmCluster) -> Iterator[SlurmCluster]:
    """The cluster while jobs may last half an hour at most, on one node."""
    change = ("scontrol", "update", "partitionname=main")
    slurm_with_limits.client(*change, "maxtime=30", "maxnodes=1")
    yield slurm_with_limits
    slurm_with_limits.client(*change, "maxtime=infinite", "maxnodes=infinite")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cluster.time_min=31",), "cluster.time_min=31: partition main allows 30 minutes"),
        (("cluster.time_min=30",), "asks for 2 nodes, but partition main allows 1"),
        (("cluster.partition=nope",), "cluster.partition=nope: the cluster has none of that name"),
    ],
)
def test_what_the_partition_does_not_allow_is_refused_before_anything_is_written(
    short_partition: SlurmCluster, root: Path, words: tuple[str, ...], message: str
) -> None:
    done = run("launcher", *SWEEP, *words, root=root, env=short_partition.env)
    assert done.returncode != 0
    assert message in done.stderr
    assert not root.exists()


def test_a_limit_that_was_lifted_refuses_nothing(short_partition: SlurmCluster, root: Path) -> None:
    words = (*SWEEP, "cluster.time_min=30", "resources.num_ranks=1", "resources.ranks_per_node=1")
    assert run("launcher", *words, root=root, env=short_partition.env).returncode == 0
    (kept,) = (root / "limits").iterdir()
    assert '"max_time_min":30' in kept.read_text()
    short_partition.client("scontrol", "update", "partitionname=main", "maxtime=60")
    done = run("launcher", "watch", *words, "cluster.time_min=60", root=root, env=short_partition.env)
    assert done.returncode == 0, done.stderr


def test_an_array_larger_than_the_cluster_takes_is_split(root: Path) -> None:
    words = (*SWEEP, "resources.num_ranks=1", "resources.ranks_per_node=1")
    with running_cluster(num_nodes=1, more="MaxArraySize=1\n") as cluster:
        done = run("launcher", *words, root=root, env=cluster.env)
        assert done.returncode == 0, done.stderr
    records = read_history(Root(root).ledger).submissions.values()
    trainings = [r for r in records if r.was_accepted and not r.checkpoints]
    assert [len(record.items) for record in trainings] == [1, 1]
