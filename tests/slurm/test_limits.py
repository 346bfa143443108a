"""What a cluster with accounting refuses: for now, which means waiting, or for good."""

from pathlib import Path

import pytest

from launcher.records.ledger import Act, read_history
from sweeps.folders import Root
from tests.commands import TINY, run
from tests.slurm.cluster import SlurmCluster

FAST = ("policy.poll_s=0.5", "policy.settle_s=1", "policy.client_timeout_s=10")
SWEEP = (*TINY, "cluster=slurm", *FAST)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def test_what_does_not_fit_a_submit_limit_waits_and_is_no_failure(
    slurm_with_limits: SlurmCluster, root: Path
) -> None:
    for _ in range(2):
        slurm_with_limits.client("sbatch", "--qos=few", "--wrap=sleep 8", "--output=/dev/null")
    words = (*SWEEP, "cluster.qos=few", "resources.num_ranks=1", "resources.ranks_per_node=1")
    once = run("launcher", *words, root=root, env=slurm_with_limits.env)
    assert once.returncode == 0, once.stderr
    assert "takes no more jobs now: QOSMaxSubmitJobPerUserLimit" in once.stderr
    assert "1 waiting, 1 queued" in once.stdout
    assert len(list(Root(root).submissions.iterdir())) == 1
    done = run("launcher", "watch", *words, root=root, env=slurm_with_limits.env)
    assert done.returncode == 0, done.stderr
    assert "2 runs: 2 done" in done.stdout


@pytest.mark.parametrize(
    ("option", "choices"),
    [
        ("cluster.qos=nope", "Choose cluster.qos from: few, normal, urgent"),
        ("cluster.account=nope", "Choose cluster.account from: lab"),
        ("cluster.partition=nope", "Choose cluster.partition from: main"),
    ],
)
def test_an_unknown_name_stops_with_the_choices(
    slurm_with_limits: SlurmCluster, root: Path, option: str, choices: str
) -> None:
    done = run("launcher", "watch", *SWEEP, option, root=root, env=slurm_with_limits.env)
    assert done.returncode == 1
    assert choices in done.stderr
    records = read_history(Root(root).ledger).submissions.values()
    assert not any(record.was_accepted for record in records)
    assert Act.refused.value in "".join(p.read_text() for p in Root(root).ledger.iterdir())
