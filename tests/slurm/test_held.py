"""Runs that are at fault themselves: each is held with its reason, and the sweep ends without them."""

import json
import shutil
from pathlib import Path

import pytest

from launcher.records.ledger import read_history
from sweeps.folders import Root
from sweeps.work.outcome import Outcome
from tests.commands import OWN_CONF, TINY, run
from tests.launcher.processes import outcomes_of
from tests.slurm.cluster import INSTALL, SlurmCluster, missing_daemons, running_cluster

FAST = ("cluster=slurm", "policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=30")
FAILING = (OWN_CONF, "sweep=failing", *FAST, "+cluster.sbatch.mem=3000")

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def tear(data: Path, torn: Path) -> str:
    """Copy shards, one of them cut off; return its name."""
    shutil.copytree(data, torn)
    shard = min(torn.glob("*.tar"))
    shard.write_bytes(shard.read_bytes()[:1000])
    return shard.name


def ends_of(root: Path, *words: str) -> dict[str, tuple[str, str, list[Outcome | None]]]:
    """Return state, reason and outcomes of each run by its fate."""
    shown = json.loads(run("launcher", "status", *words, "format=json", root=root).stdout)
    return {
        one["labels"]["fate"]: (
            one["state"],
            one["reason"] or "",
            outcomes_of(Root(root).segment(one["run_id"])),
        )
        for one in shown["runs"]
    }


def test_what_is_wrong_with_a_run_holds_it_and_no_other(root: Path, data: Path) -> None:
    if missing := missing_daemons():
        pytest.skip(f"{', '.join(missing)} not found; install with: {INSTALL}")
    shutil.copytree(data / "tiny", root / "data/tiny")
    shard = tear(data / "tiny", root / "data/torn")
    with running_cluster(num_nodes=2, limits_memory=True) as cluster:
        done = run("launcher", "watch", *FAILING, root=root, env=cluster.env)
    assert done.returncode == 1, done.stderr
    ends = ends_of(root, *FAILING)
    assert ends["sound"] == ("done", "", [Outcome.done])
    state, reason, tried = ends["loses-a-peer"]
    assert (state, reason, tried[0], tried[-1]) == ("done", "", Outcome.communication, Outcome.done)
    held = {fate: end[1] for fate, end in ends.items() if end[0] == "held"}
    assert held.keys() == {"diverges", "swells", "is-torn"}
    assert ends["diverges"][2] == [Outcome.not_finite]
    assert held["diverges"].startswith("not_finite: ")
    assert ends["is-torn"][2] == [Outcome.bad_data]
    assert shard in held["is-torn"]
    assert ends["swells"][2] == [Outcome.out_of_memory] * 2
    assert "out_of_memory, 2 times: the same layout would fail again: raise" in held["swells"]


def test_jobs_that_die_before_training_begins_are_held_after_a_few(
    cluster: SlurmCluster, root: Path
) -> None:
    words = (*TINY, *FAST, "samples_seen=3840", "+cluster.env.PYTHONHOME=/nowhere")
    done = run("launcher", "watch", *words, root=root, env=cluster.env)
    assert done.returncode == 1, done.stderr
    assert "3 jobs in a row ended before training began: FAILED" in done.stdout
    *_, last = (r for r in read_history(Root(root).ledger).submissions.values() if not r.checkpoints)
    assert f"submissions/{last.id}/0.log" in done.stdout
    assert "PYTHONHOME = '/nowhere'" in (Root(root).submission(last.id) / "0.log").read_text()
