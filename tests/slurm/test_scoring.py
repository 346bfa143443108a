"""Scoring on a real Slurm cluster, with nobody at the login node once the sweep is launched."""

from pathlib import Path

import pytest

from launcher.records.ledger import read_history
from sweeps.folders import Root
from tests.commands import OWN_CONF, PATIENCE_S, TINY, gated_by, run, wait_for
from tests.launcher.processes import SCORER, expected_scores, processes, refute_difference, scores_of
from tests.slurm.cluster import SlurmCluster
from tests.training.segments import expansion_of
from training.checkpoints.done import done_path

SWEEP = (*TINY, "cluster=slurm", "policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=30")
SHORT = (*SWEEP, "samples_seen=1280", "resources.num_ranks=4", "resources.ranks_per_node=2")

GATED = "tests.launcher.gated.GatedScore"

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def jobs(cluster: SlurmCluster) -> list[str]:
    """Return the names of all jobs."""
    return cluster.client("squeue", "--me", "--noheader", "-o", "%j").split()


def test_one_launch_trains_and_scores_everything(
    cluster: SlurmCluster, root: Path, undisturbed: Path
) -> None:
    assert run("launcher", *SWEEP, root=root, env=cluster.env).returncode == 0
    wait_for(lambda: not jobs(cluster), "all jobs to end")
    refute_difference(root, undisturbed, expansion_of("sweep=tiny"))
    again = run("launcher", *SWEEP, root=root, env=cluster.env)
    assert "nothing to do: every run is done" in again.stdout
    known = list(read_history(Root(root).ledger).submissions.values())
    assert [bool(record.checkpoints) for record in known] == [False, True] * 2


def test_a_sweep_whose_jobs_may_launch_goes_on_to_its_report_alone(
    cluster: SlurmCluster, root: Path
) -> None:
    trunk = (OWN_CONF, "sweep=trunk", *SWEEP[len(TINY) :], "cluster.pass_from_jobs=true")
    assert run("launcher", *trunk, root=root, env=cluster.env).returncode == 0
    wait_for((root / "reports/trunk/law.html").exists, "the report", timeout_s=2 * PATIENCE_S)
    scores = scores_of(root)
    assert set(scores) == expected_scores(expansion_of("sweep=trunk"))
    assert set(scores.values()) == {1}


def test_a_scorer_that_is_killed_and_starts_again_scores_everything_once(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    score = f"{{_target_: {GATED}, name: counted, dataset: shapes, options: {{gate: {gate}}}}}"
    words = (*SHORT[1:], f"eval.evals=[{score}]")
    assert run("launcher", OWN_CONF, *words, root=root, env=cluster.env).returncode == 0
    (scorer,) = wait_for(lambda: processes(root, SCORER), "a scoring process")
    scorer.kill()
    wait_for(lambda: processes(root, SCORER) not in ([], [scorer]), "another one")
    job_id = cluster.client("squeue", "--me", "--noheader", "-o", "%A").strip()
    cluster.client("scontrol", "requeue", job_id)
    gate.touch()
    wait_for(lambda: not jobs(cluster), "all jobs to end")
    scores = scores_of(root)
    assert set(scores) == expected_scores(expansion_of(*words))
    assert set(scores.values()) == {1}


def test_a_run_is_scored_while_another_one_of_its_array_has_not_even_begun(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    one_by_one = ("cluster.max_parallel=1", *gated_by(tmp_path / "gate"))
    words = (OWN_CONF, "sweep=pair", *SWEEP[len(TINY) :], *one_by_one)
    assert run("launcher", *words, root=root, env=cluster.env).returncode == 0
    (array, _) = read_history(Root(root).ledger).submissions.values()
    cluster.client("scontrol", "hold", f"{array.job_id}_1")
    (tmp_path / "gate").touch()
    wait_for(done_path(Root(root).segment(array.items[0])).exists, "the first one to be trained")
    assert "1 trained" in run("launcher", *words, root=root, env=cluster.env).stdout
    (_, _, early) = read_history(Root(root).ledger).submissions.values()
    wait_for(lambda: early.id not in jobs(cluster), "the scorer to end")
    assert "1 done" in run("launcher", "status", *words, root=root, env=cluster.env).stdout
    cluster.client("scontrol", "release", f"{array.job_id}_1")
    wait_for(lambda: not jobs(cluster), "all jobs to end")
    assert "2 done" in run("launcher", "status", *words, root=root, env=cluster.env).stdout
    assert set(scores_of(root).values()) == {1}
