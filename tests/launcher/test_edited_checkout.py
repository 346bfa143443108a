"""Editing a checkout after a launch changes nothing that was handed over."""

import json
import shutil
from pathlib import Path

import pytest

from launcher.provenance.sources import PACKAGES
from launcher.records import submission
from sweeps.folders import Root
from sweeps.work import lease
from tests.commands import CHECKOUT, HERE, PATIENCE_S, TINY, gated_by, run, start, wait_for
from tests.launcher.checkouts import copy_of_this
from tests.launcher.processes import RANK, processes, scores_of
from tests.slurm.cluster import SlurmCluster
from training.checkpoints.done import done_path

pytestmark = pytest.mark.slow

BROKEN = "raise SystemExit('this was edited after the launch')\n"


def break_what_jobs_run(checkout: Path) -> None:
    for name in ("launcher/jobs/supervisor.py", "training/rank.py", "evaluation/worker.py"):
        (checkout / name).write_text(BROKEN)


def jobs(cluster: SlurmCluster) -> list[str]:
    """Return the ids of all jobs."""
    return cluster.client("squeue", "--me", "--noheader", "-o", "%A").split()


def only_segment(root: Path) -> Path:
    (folder,) = wait_for(lambda: list((root / "segments").glob("*")), "a segment")
    return folder


@pytest.mark.slurm
def test_a_job_that_waits_runs_what_was_submitted(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    checkout = copy_of_this(tmp_path / "checkout")
    held_back = ("cluster=slurm", "samples_seen=1280", "+cluster.sbatch.begin=now+1hour")
    safe_path = "+cluster.env.PYTHONSAFEPATH='1'"  # would have Python look elsewhere first
    env = {**cluster.env, "MY_TOKEN": "hidden"}
    done = run("launcher", *TINY, *held_back, safe_path, root=root, env=env, checkout=checkout)
    assert done.returncode == 0, done.stderr
    break_what_jobs_run(checkout)
    for job_id in jobs(cluster):
        cluster.client("scontrol", "update", f"jobid={job_id}", "starttime=now")
    wait_for(lambda: not jobs(cluster), "all jobs to end")
    assert done_path(only_segment(root)).exists()
    assert scores_of(root)
    given = [submission.read(folder) for folder in Root(root).submissions.iterdir()]
    assert {(one.checkout, one.code.parent) for one in given} == {(checkout, Root(root).code)}
    assert len({one.code for one in given}) == 1
    for one in given:
        kept = (one.folder / "environment.json").read_text()
        assert json.loads(kept)["variables"]["SLURM_CONF"] == cluster.env["SLURM_CONF"]
        assert "hidden" not in kept


def break_all(checkout: Path) -> None:
    for package in PACKAGES:
        for path in (checkout / package).rglob("*.py"):
            path.write_text(BROKEN)


def test_a_launcher_goes_on_with_the_code_that_it_began_with(root: Path, tmp_path: Path) -> None:
    checkout = copy_of_this(tmp_path / "checkout")
    shutil.copy(CHECKOUT / "tests/launcher/gated.py", checkout)
    target, gate = gated_by(tmp_path / "gate")
    gated = (target.replace("tests.launcher.", ""), gate)
    words = (*HERE, "samples_seen=3840", "resources.num_ranks=1", *gated)
    launcher = start("launcher", *words, root=root, checkout=checkout)
    wait_for(lambda: [*root.glob("segments/*/metrics-1.jsonl")], "the first step")
    break_all(checkout)
    processes(root, RANK)[0].kill()
    (tmp_path / "gate").touch()
    assert launcher.wait(PATIENCE_S) == 0
    known = lease.newest(only_segment(root))
    assert known is not None
    assert len(known.attempts) > 1
    assert [*root.glob("reports/*/law.html")]
