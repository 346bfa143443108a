"""Nodes and ranks that are lost, caused for real: the run goes on, and bad nodes are avoided."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.records import quarantine
from sweeps.folders import Root
from sweeps.work.outcome import Outcome
from tests.commands import TINY, run, wait_for
from tests.launcher.evidence import census
from tests.launcher.processes import (
    RANK,
    outcomes_of,
    processes,
    refute_difference,
    refute_repetition,
)
from tests.slurm.cluster import SlurmCluster
from tests.training.segments import expansion_of
from training.checkpoints.saved import saved_samples

SWEEP = (*TINY, "cluster=slurm", "policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=10")
LONG = (*SWEEP, "samples_seen=3840")

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def saving(root: Path, *words: str, cluster: SlurmCluster) -> Path:
    """Launch; return the folder of the only segment once it has saved a state."""
    assert run("launcher", *words, root=root, env=cluster.env).returncode == 0
    (folder,) = wait_for(lambda: list((root / "segments").glob("*")), "a segment")
    wait_for(lambda: saved_samples(folder, "state"), "a state", 120)
    return folder


def saved(folder: Path) -> int:
    """Return how far the newest state is, or the end of the segment where it was reached."""
    return max(saved_samples(folder, "state"), default=0)


def finish(root: Path, *words: str, cluster: SlurmCluster) -> None:
    done = run("launcher", "watch", *words, root=root, env=cluster.env)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def lost(cluster: SlurmCluster) -> Iterator[list[str]]:
    """Names of nodes that a test cuts off; they come back at its end."""
    names: list[str] = []
    yield names
    for name in names:
        cluster.start_node(name)
        cluster.client("scontrol", "update", f"nodename={name}", "state=resume")


def test_a_power_cut_of_the_batch_host_quarantines_it_and_loses_only_what_was_not_saved(
    cluster: SlurmCluster, root: Path, undisturbed: Path, lost: list[str]
) -> None:
    folder = saving(root, *LONG, cluster=cluster)
    node = cluster.client("squeue", "--me", "--noheader", "-o", "%N").strip()
    cluster.cut_power(node)
    lost.append(node)
    before = saved(folder)
    cluster.client("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    finish(root, *LONG, cluster=cluster)
    assert outcomes_of(folder) == [Outcome.node_failure, Outcome.done]
    refute_repetition(folder, before)
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=3840"))
    shown = run("launcher", "status", *LONG, "format=json", root=root, env=cluster.env).stdout
    assert [entry["node"] for entry in json.loads(shown)["quarantine"]] == [node]
    assert f"{node} of slurm@lab" in run("launcher", "status", *LONG, root=root).stdout


def test_what_is_submitted_avoids_a_node_in_quarantine(cluster: SlurmCluster, root: Path) -> None:
    root.mkdir()
    now = time.time()
    entry = quarantine.Entry(
        where="slurm@lab",
        node="n2",
        reason="its power was cut",
        items=("an item",),
        is_certain=True,
        since=now,
        until=now + 3600,
    )
    quarantine.put(Root(root).quarantine, entry)
    held_back = (*LONG, "+cluster.sbatch.begin=now+1hour")
    assert run("launcher", *held_back, root=root, env=cluster.env).returncode == 0
    shown = cluster.client("scontrol", "show", "job", "--oneliner").splitlines()
    avoided = [line for line in shown if "JobState=PENDING" in line]
    assert len(avoided) == 2
    assert all("ExcNodeList=n2 " in line for line in avoided)


def test_a_daemon_that_dies_under_its_steps_doubles_nothing(
    cluster: SlurmCluster, root: Path, undisturbed: Path, lost: list[str]
) -> None:
    folder = saving(root, *LONG, cluster=cluster)
    node = cluster.client("squeue", "--me", "--noheader", "-o", "%N").strip()
    cluster.kill_daemon(node)
    cluster.client("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    with census(root):
        finish(root, *LONG, cluster=cluster)
    cluster.cut_power(node)
    lost.append(node)
    assert outcomes_of(folder) == [Outcome.node_failure, Outcome.done]
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=3840"))


def test_a_rank_that_is_killed_is_a_lost_rank_and_is_started_again(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    folder = saving(root, *LONG, cluster=cluster)
    processes(root, RANK)[0].kill()
    before = saved(folder)
    finish(root, *LONG, cluster=cluster)
    assert outcomes_of(folder) == [Outcome.communication, Outcome.done]
    refute_repetition(folder, before)
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=3840"))


def test_a_rank_that_hangs_is_killed_and_what_it_prints_does_not_count(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    words = (*LONG, "policy.stall_s=40")
    folder = saving(root, *words, cluster=cluster)
    for rank in processes(root, RANK):
        rank.send_signal(signal.SIGSTOP)
    before = saved(folder)
    log = folder / "log-1.txt"

    def chatters() -> bool:
        with log.open("a") as file:
            file.write("still here\n")
        return outcomes_of(folder)[0] is Outcome.stalled

    wait_for(chatters, "the hang to be noticed", 180)
    finish(root, *words, cluster=cluster)
    assert outcomes_of(folder) == [Outcome.stalled, Outcome.done]
    refute_repetition(folder, before)
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=3840"))


def test_a_job_that_is_preempted_goes_on_where_it_saved(
    slurm_with_limits: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    folder = saving(root, *LONG, cluster=slurm_with_limits)
    before = saved(folder)
    urgent = ("--qos=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 2")
    slurm_with_limits.client("sbatch", *urgent)
    wait_for(lambda: len(outcomes_of(folder)) > 1, "the job to start again", 240)
    finish(root, *LONG, cluster=slurm_with_limits)
    assert outcomes_of(folder) == [Outcome.preempted, Outcome.done]
    refute_repetition(folder, before)
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=3840"))
