"""What breaks on a cluster, caused for real: a node's power, the controller, two launchers at once."""

from pathlib import Path

import pytest

from sweeps.work import lease
from tests.commands import TINY, gated_by, run, wait_for
from tests.launcher.processes import refute_difference
from tests.slurm.cluster import SlurmCluster
from tests.training.segments import expansion_of
from training.telemetry.metrics import metrics_path

SWEEP = (*TINY, "cluster=slurm", "policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=30")
WIDE = (*SWEEP, "samples_seen=1280")

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
    gated = gated_by(root.parent / "gate")
    words = (*WIDE, *gated)
    folder = started(root, *words, cluster=cluster)
    node = cluster.client("squeue", "--me", "--noheader", "-o", "%N").strip()
    last = cluster.client("scontrol", "show", "hostnames", node).split()[-1]
    cluster.cut_power(last)
    cluster.client("scontrol", "update", f"nodename={last}", "state=down", "reason=test")
    (root.parent / "gate").touch()
    done = run("launcher", "watch", *words, root=root, env=cluster.env)
    assert done.returncode == 0, done.stderr
    known = lease.newest(folder)
    assert known is not None
    assert len(known.attempts) > 1
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=1280", *gated))
