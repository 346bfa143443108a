"""What becomes of a sweep when its launcher is killed at the worst moment, or there are two of them."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from launcher.records.ledger import SubmissionState, read_history
from sweeps.folders import Root
from tests.commands import OWN_CONF, PATIENCE_S, run
from tests.launcher.evidence import census, refute_doubles, trainings
from tests.slurm.cluster import SlurmCluster
from tests.slurm.shims import KILL_LAUNCHER, shimmed

EIGHT = (
    OWN_CONF, "sweep=eight", "cluster=slurm",
    "policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=30",
)  # fmt: skip
KILLED = -9

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (f'sbatch "$@"; {KILL_LAUNCHER}', "adopted job"),
        (f"{KILL_LAUNCHER}; exit 1", "never became a job; its items are planned again"),
    ],
    ids=["after it was accepted", "before"],
)
def test_a_launcher_that_is_killed_around_sbatch_is_carried_on_by_the_next(
    cluster: SlurmCluster, root: Path, tmp_path: Path, script: str, message: str
) -> None:
    words = (*EIGHT, "seed=0,1", "policy.client_timeout_s=15")
    killed = run("launcher", *words, root=root, env=shimmed(tmp_path, script, cluster.env))
    assert killed.returncode == KILLED
    (record,) = read_history(Root(root).ledger).submissions.values()
    assert record.state is SubmissionState.unresolved
    with census(root):
        done = run("launcher", "watch", *words, root=root, env=cluster.env)
    assert message in done.stderr
    assert "2 runs: 2 done" in done.stdout
    assert len(trainings(root)) == 2
    refute_doubles(root)


def test_two_launchers_in_a_loop_submit_everything_once(cluster: SlurmCluster, root: Path) -> None:
    deadline = time.monotonic() + 2 * PATIENCE_S

    def until_done() -> set[int]:
        tries = [run("launcher", *EIGHT, root=root, env=cluster.env)]
        while "8 runs: 8 done" not in tries[-1].stdout and time.monotonic() < deadline:
            tries.append(run("launcher", *EIGHT, root=root, env=cluster.env))
        return {tried.returncode for tried in tries}

    with census(root), ThreadPoolExecutor(2) as pool:
        rivals = [pool.submit(until_done) for _ in range(2)]
        statuses = {status for rival in rivals for status in rival.result()}
    assert statuses <= {0, 1}
    assert len(trainings(root)) == len(set(trainings(root))) == 8
    refute_doubles(root)
