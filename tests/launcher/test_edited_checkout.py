"""Editing a checkout after a launch changes nothing that was handed over."""

import json
from pathlib import Path

import pytest

from launcher.records import lease
from sweeps.folders import Root
from tests.commands import TINY, run, start, wait_for
from tests.launcher.checkouts import copy_of_this
from tests.launcher.processes import RANK, processes
from tests.slurm.cluster import SlurmCluster
from training.done import done_path

pytestmark = pytest.mark.slow

BROKEN = "raise SystemExit('this was edited after the launch')\n"


def break_what_jobs_run(checkout: Path) -> None:
    for name in ("launcher/jobs/supervisor.py", "training/rank.py", "training/loop.py"):
        (checkout / name).write_text(BROKEN)


def only_segment(root: Path) -> Path:
    (folder,) = wait_for(lambda: list((root / "segments").glob("*")), "a segment")
    return folder


@pytest.mark.slurm
def test_a_job_that_waits_runs_what_was_submitted(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    checkout = copy_of_this(tmp_path / "checkout")
    held_back = ("cluster=slurm", "samples_seen=2560", "+cluster.sbatch.begin=now+1hour")
    safe_path = "+cluster.env.PYTHONSAFEPATH='1'"  # would have Python look elsewhere first
    env = {**cluster.env, "MY_TOKEN": "hidden"}
    done = run("launcher", *TINY, *held_back, safe_path, root=root, env=env, checkout=checkout)
    assert done.returncode == 0, done.stderr
    break_what_jobs_run(checkout)
    job_id = cluster.client("squeue", "--me", "--noheader", "-o", "%A").strip()
    cluster.client("scontrol", "update", f"jobid={job_id}", "starttime=now")
    wait_for(done_path(only_segment(root)).exists, "the training to be done", timeout_s=240)
    (submission,) = Root(root).submissions.iterdir()
    given = json.loads((submission / "submission.json").read_text())
    assert given["checkout"] == str(checkout)
    assert Path(given["code"]).parent == Root(root).code
    kept = (submission / "environment.json").read_text()
    assert json.loads(kept)["variables"]["SLURM_CONF"] == cluster.env["SLURM_CONF"]
    assert "hidden" not in kept


def test_what_starts_again_on_this_machine_runs_what_was_submitted(root: Path, tmp_path: Path) -> None:
    checkout = copy_of_this(tmp_path / "checkout")
    words = (*TINY, "samples_seen=7680", "resources.num_ranks=1", "cluster.cores_per_node=64")
    launcher = start("launcher", *words, root=root, checkout=checkout)
    wait_for(lambda: [*root.glob("segments/*/metrics-1.jsonl")], "the first step", timeout_s=120)
    break_what_jobs_run(checkout)
    processes(root, RANK)[0].kill()
    assert launcher.wait(240) == 0
    known = lease.newest(only_segment(root))
    assert known is not None
    assert len(known.attempts) == 2
