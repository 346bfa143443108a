"""Jobs that no time starts: Slurm holds them, or they ask for more than they may have."""

import json
import re
from pathlib import Path

import pytest

from tests.commands import TINY, run, wait_for
from tests.slurm.cluster import INSTALL, SlurmCluster, missing_daemons, running_cluster

ONE = (*TINY, "cluster=slurm", "samples_seen=1280", "policy.client_timeout_s=30")
WAITING = r"queued: (1 Dependency\nqueued: 1|2) PartitionDown\nspent"
"""The job that scores waits for its dependency, or in the scheduler's last look for the partition."""

HELD = "launch failed requeued held"
PARTITION = ("scontrol", "update", "partitionname=main")

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def await_reason(cluster: SlurmCluster, reason: str) -> None:
    """Return when some job waits for this reason, as squeue says."""
    ask = ("squeue", "--me", "--noheader", "--states=pending", "--format=%r")
    wait_for(lambda: reason in cluster.client(*ask).splitlines(), reason)


def test_status_says_why_jobs_wait_and_what_starts_those_that_would_wait_for_ever(root: Path) -> None:
    if missing := missing_daemons():
        pytest.skip(f"{', '.join(missing)} not found; install with: {INSTALL}")
    with running_cluster(num_nodes=2, more="Prolog=/bin/false\n") as cluster:
        cluster.client(*PARTITION, "state=down")
        assert run("launcher", *ONE, root=root, env=cluster.env).returncode == 0
        await_reason(cluster, "PartitionDown")
        shown = run("launcher", "status", *ONE, root=root, env=cluster.env).stdout
        assert "1 queued\n" in shown
        assert re.search(WAITING, shown), shown

        cluster.client(*PARTITION, "maxtime=30", "state=up")
        await_reason(cluster, "PartitionTimeLimit")
        shown = run("launcher", "status", *ONE, "format=json", root=root, env=cluster.env).stdout
        waits = {wait["reason"]: wait for wait in json.loads(shown)["queued"]}
        assert waits.get("Dependency", {"advice": None})["advice"] is None
        job_ids = waits["PartitionTimeLimit"]["job_ids"]
        listed = ",".join(job_ids)
        assert f"`scontrol update jobid={listed} timelimit=…`" in waits["PartitionTimeLimit"]["advice"]

        cluster.client("scontrol", "update", f"jobid={listed}", "timelimit=30")
        await_reason(cluster, HELD)
        job_id = min(job_ids, key=int)
        again = run("launcher", *ONE, root=root, env=cluster.env)
        assert f"queued: 1 {HELD}, needs you: " in again.stderr
        assert f"`scontrol release {job_id}`" in again.stdout
        assert "nothing to submit now" in again.stdout
