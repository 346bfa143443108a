"""What breaks on a cluster, caused for real: a node's power, the controller, two launchers at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from launcher.records import lease
from launcher.records.ledger import read_history
from sweeps.folders import Root
from tests.commands import TINY, run, wait_for
from tests.launcher.processes import RANK, processes, refute_difference
from tests.slurm.cluster import SlurmCluster
from tests.training.segments import expansion_of
from training.metrics import metrics_path

SWEEP = (*TINY, "cluster=slurm", "policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=5")
LONG = (*SWEEP, "samples_seen=7680")
WIDE = (*SWEEP, "samples_seen=2560")

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def started(root: Path, *words: str, cluster: SlurmCluster) -> Path:
    """Launch; return the folder of the only segment once it has metrics."""
    assert run("launcher", *words, root=root, env=cluster.env).returncode == 0
    (folder,) = wait_for(lambda: list((root / "segments").glob("*")), "a segment")
    wait_for(metrics_path(folder, 1).exists, "the first step")
    return folder


def test_a_power_cut_under_a_rank_costs_only_what_was_not_saved(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    folder = started(root, *WIDE, cluster=cluster)
    node = cluster.client("squeue", "--me", "--noheader", "-o", "%N").strip()
    last = cluster.client("scontrol", "show", "hostnames", node).split()[-1]
    cluster.cut_power(last)
    cluster.client("scontrol", "update", f"nodename={last}", "state=down", "reason=test")
    done = run("launcher", "watch", *WIDE, root=root, env=cluster.env)
    cluster.start_node(last)
    cluster.client("scontrol", "update", f"nodename={last}", "state=resume")
    assert done.returncode == 0, done.stderr
    known = lease.newest(folder)
    assert known is not None
    assert len(known.attempts) > 1
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=2560"))


def test_a_controller_that_dies_under_running_jobs_doubles_none(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    folder = started(root, *LONG, cluster=cluster)
    assert processes(root, RANK)
    cluster.kill_controller()
    try:
        away = run("launcher", *LONG, root=root, env=cluster.env)
    finally:
        cluster.start_controller()
    assert away.returncode == 1
    done = run("launcher", "watch", *LONG, root=root, env=cluster.env)
    assert done.returncode == 0, done.stderr
    known = lease.newest(folder)
    assert known is not None
    assert len(known.attempts) == 1
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=7680"))


def test_two_launchers_in_a_loop_submit_everything_once(cluster: SlurmCluster, root: Path) -> None:
    def three_times() -> list[int]:
        return [run("launcher", *SWEEP, root=root, env=cluster.env).returncode for _ in range(3)]

    with ThreadPoolExecutor(2) as pool:
        rivals = [pool.submit(three_times) for _ in range(2)]
        statuses = {status for rival in rivals for status in rival.result()}
    assert statuses <= {0, 1}
    items = [i for r in read_history(Root(root).ledger).submissions.values() for i in r.items]
    trainings = [item for item in items if not item.startswith("score")]
    assert len(trainings) == len(set(trainings)) == 2
