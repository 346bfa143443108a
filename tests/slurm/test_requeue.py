"""Jobs that run out of time put themselves, and nobody else, back into the queue."""

from pathlib import Path

import pytest

from launcher.machines.slurm_client import requeue
from sweeps.errors import RequeueRefused
from sweeps.work import lease
from sweeps.work.outcome import Outcome
from tests.commands import OWN_CONF, gated_with_states_by, run, wait_for
from tests.launcher.processes import outcomes_of, refute_repetition
from tests.slurm.cluster import SlurmCluster
from training.checkpoints.saved import saved_samples

FAST = ("policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=30")
PAIR = (OWN_CONF, "sweep=pair", "cluster=slurm", *FAST)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def own_job(folder: Path) -> str:
    """Return the id of the job that holds a work item."""
    known = lease.newest(folder)
    assert known is not None
    return known.attempt.holder.job_id


def test_the_last_task_of_an_array_requeues_itself_alone(
    cluster: SlurmCluster, root: Path, tmp_path: Path
) -> None:
    words = (*PAIR, *gated_with_states_by(tmp_path / "gate"))
    assert run("launcher", *words, root=root, env=cluster.env).returncode == 0
    folders = list((root / "segments").iterdir())
    wait_for(lambda: all(saved_samples(folder, "state") for folder in folders), "states")
    first, last = sorted(folders, key=own_job)
    saved = max(saved_samples(last, "state"))
    cluster.client("scancel", "--batch", "--signal=USR1", own_job(last))
    wait_for((last / "stop-1").exists, "the request to stop")
    (tmp_path / "gate").touch()
    done = run("launcher", "watch", *words, root=root, env=cluster.env)
    assert done.returncode == 0, done.stderr
    assert own_job(last).endswith("_1")
    assert outcomes_of(last) == [Outcome.time_limit, Outcome.done]
    assert outcomes_of(first) == [Outcome.done]
    refute_repetition(last, saved)


def test_a_job_that_slurm_refuses_to_requeue_is_no_unknown_queue(
    cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster.env["SLURM_CONF"])
    options = ("--parsable", "--no-requeue", "--hold", "--output=/dev/null", "--wrap=true")
    for job_id in (cluster.client("sbatch", *options).strip(), "999999"):
        with pytest.raises(RequeueRefused, match="scontrol failed: "):
            requeue(job_id, timeout_s=30)
