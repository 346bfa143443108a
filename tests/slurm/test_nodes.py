"""Nodes and ranks that are lost, caused for real: the run goes on, and bad nodes are avoided."""

import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher.records import quarantine
from launcher.records.ledger import read_history
from sweeps.folders import Root
from sweeps.work.outcome import Outcome
from tests.commands import TINY, gated_with_states_by, run, wait_for
from tests.launcher.evidence import census
from tests.launcher.processes import (
    RANK,
    outcomes_of,
    processes,
    refute_difference,
    refute_repetition,
)
from tests.slurm.cluster import SlurmCluster
from tests.slurm.shims import shimmed
from tests.training.segments import expansion_of
from training.checkpoints.saved import saved_samples

SWEEP = (*TINY, "cluster=slurm", "policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=30")
LONG = (*SWEEP, "samples_seen=3840")

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A run that has saved a state and goes on when its gate is opened. `saved`: its samples then."""

    folder: Path
    saved: int
    gate: Path
    words: tuple[str, ...]


def held(root: Path, *words: str, cluster: SlurmCluster) -> Held:
    """Launch one run, and return when it has saved a state and waits at its gate."""
    gate = root.parent / "gate"
    gated = (*LONG, *words, *gated_with_states_by(gate))
    assert run("launcher", *gated, root=root, env=cluster.env).returncode == 0
    (folder,) = (root / "segments").iterdir()
    wait_for(lambda: saved_samples(folder, "state"), "a state")
    return Held(folder=folder, saved=max(saved_samples(folder, "state")), gate=gate, words=gated)


def finish(one: Held, root: Path, undisturbed: Path, cluster: SlurmCluster) -> None:
    """Let a run go on to its end, and check that it lost only what was not saved."""
    one.gate.touch()
    done = run("launcher", "watch", *one.words, root=root, env=cluster.env)
    assert done.returncode == 0, done.stderr
    refute_repetition(one.folder, one.saved)
    gated = gated_with_states_by(one.gate)
    refute_difference(root, undisturbed, expansion_of("sweep=tiny", "samples_seen=3840", *gated))


def test_a_power_cut_of_the_batch_host_quarantines_it_and_loses_only_what_was_not_saved(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    one = held(root, cluster=cluster)
    node = cluster.client("squeue", "--me", "--noheader", "-o", "%N").strip()
    cluster.cut_power(node)
    cluster.client("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    finish(one, root, undisturbed, cluster)
    assert outcomes_of(one.folder) == [Outcome.node_failure, Outcome.done]
    status = ("status", *one.words)
    shown = run("launcher", *status, "format=json", root=root, env=cluster.env).stdout
    assert [entry["node"] for entry in json.loads(shown)["quarantine"]] == [node]
    assert f"{node} of slurm@lab" in run("launcher", *status, root=root).stdout


def test_what_is_submitted_avoids_a_node_in_quarantine(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
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
    env = shimmed(tmp_path, "exit 1", cluster.env, client="sinfo")
    unasked = run("launcher", *held_back, root=root, env=env)
    assert "nothing is submitted now: sinfo failed" in unasked.stderr
    assert not read_history(Root(root).ledger).submissions
    assert run("launcher", *held_back, root=root, env=env).returncode == 0
    shown = cluster.client("scontrol", "show", "job", "--oneliner").splitlines()
    avoided = [line for line in shown if "JobState=PENDING" in line]
    assert len(avoided) == 2
    assert all("ExcNodeList=n2 " in line for line in avoided)


def test_a_daemon_that_dies_under_its_steps_doubles_nothing(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    one = held(root, cluster=cluster)
    node = cluster.client("squeue", "--me", "--noheader", "-o", "%N").strip()
    cluster.kill_daemon(node)
    cluster.client("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    with census(root):
        wait_for(lambda: outcomes_of(one.folder)[0] is not None, "the loss to be noted")
        finish(one, root, undisturbed, cluster)
    assert outcomes_of(one.folder) == [Outcome.node_failure, Outcome.done]


def test_a_rank_that_is_killed_is_a_lost_rank_and_is_started_again(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    one = held(root, cluster=cluster)
    processes(root, RANK)[0].kill()
    finish(one, root, undisturbed, cluster)
    tried = outcomes_of(one.folder)
    assert (tried[0], tried[-1]) == (Outcome.communication, Outcome.done)


def test_a_rank_that_hangs_is_killed_and_what_it_prints_does_not_count(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    one = held(root, "policy.stall_s=40", "policy.fruitless_attempts=20", cluster=cluster)
    for rank in processes(root, RANK):
        rank.send_signal(signal.SIGSTOP)
    log = one.folder / "log-1.txt"

    def chatters() -> bool:
        with log.open("a") as file:
            file.write("still here\n")
        return outcomes_of(one.folder)[0] is Outcome.stalled

    wait_for(chatters, "the hang to be noticed")
    finish(one, root, undisturbed, cluster)
    *stalls, last = outcomes_of(one.folder)
    # On a machine that is busy enough a rank that only begins is taken for one that hangs.
    assert (set(stalls), last) == ({Outcome.stalled}, Outcome.done)


def test_a_job_that_is_preempted_goes_on_where_it_saved(
    slurm_with_limits: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    one = held(root, cluster=slurm_with_limits)
    urgent = ("--qos=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 2")
    slurm_with_limits.client("sbatch", *urgent)
    wait_for((one.folder / "stop-1").exists, "the request to stop")
    one.gate.touch()
    wait_for(lambda: len(outcomes_of(one.folder)) > 1, "the job to start again")
    finish(one, root, undisturbed, slurm_with_limits)
    assert outcomes_of(one.folder) == [Outcome.preempted, Outcome.done]
