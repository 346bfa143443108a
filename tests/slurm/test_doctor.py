"""The doctor on a real cluster: a preset that fits it, and one fault at a time."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conf.schema import ClusterConfig, ClusterKind, ResourceConfig
from launcher.doctor.examination import scheduler_checks
from launcher.doctor.findings import Finding, Subject, Verdict
from launcher.doctor.trial import check_by_job
from sweeps.folders import Root
from tests.commands import run, wait_for
from tests.configs import run_config
from tests.slurm.cluster import SlurmCluster

pytestmark = pytest.mark.slurm

FITS: dict[str, Any] = {"account": "lab", "partition": "main", "qos": "few", "gpus_per_node": 4}


@pytest.fixture(scope="module")
def lab(slurm_with_limits: SlurmCluster) -> Iterator[SlurmCluster]:
    """The cluster with accounting, and partitions to run into: `short` and `closed`."""
    create = ("scontrol", "create", "Nodes=n1")
    slurm_with_limits.client(*create, "PartitionName=short", "MaxTime=30", "MaxNodes=1")
    slurm_with_limits.client(*create, "PartitionName=closed", "State=DOWN", "AllowAccounts=root")
    yield slurm_with_limits
    for name in ("short", "closed"):
        slurm_with_limits.client("scontrol", "delete", f"PartitionName={name}")


@pytest.fixture(autouse=True)
def _on_the_login_node(lab: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, lab.env[name])


def subject(root: Path, num_ranks: int = 1, **given: Any) -> Subject:
    cluster = ClusterConfig(name="mine", kind=ClusterKind.slurm, **{**FITS, **given})
    config = run_config(resources=ResourceConfig(num_ranks=num_ranks))
    return Subject(cluster=cluster, root=Root(root), timeout_s=30.0, runs=(config,))


def problems(findings: Iterator[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.verdict is Verdict.problem]


def test_a_preset_that_fits_has_no_problem_and_the_limits_are_told(root: Path) -> None:
    findings = {f.check: f for f in scheduler_checks(subject(root, num_ranks=8))}
    assert not problems(iter(findings.values()))
    assert findings["partition"].what == "main: 2 nodes, up"
    assert findings["limits"].what == "at most 3 jobs in the queue, 1000 in an array"
    assert findings["cores"].what.startswith("nodes have 8 CPUs, 1 thread a core")
    assert findings["layout"].what == "a run of 8 ranks takes 2 nodes of 2"
    assert findings["sbatch"].what == "would take a job of 2 nodes and 60 min"
    assert findings["host"].verdict is Verdict.warning  # the nodes' names are known on nodes only


@pytest.mark.parametrize(
    ("given", "check", "what", "change"),
    [
        ({"partition": "mian"}, "partition", "no partition 'mian'", "Did you mean main"),
        ({"partition": "closed"}, "partition", "closed is DOWN", "set cluster.partition"),
        ({"account": "labs"}, "account", "no account 'labs'", "Did you mean lab"),
        ({"qos": "fast"}, "qos", "no QOS 'fast'", "Choose from: few, normal, urgent"),
        ({"partition": "short"}, "time limit", "above the 30 min of partition short", "time_min=30"),
        ({"signal_s": 3600}, "signal", "not below the time limit of 3600 s", "set it to 360"),
        ({"gpus_per_node": 8}, "gpus", "gpus_per_node=8, but nodes have 4", "set it to 4"),
        ({"cores_per_node": 9}, "cores", "cores_per_node=9, but nodes have 8 CPUs", "set it to 8"),
        ({"num_ranks": 12}, "layout", "12 ranks takes 3 nodes", "resources.num_ranks lower"),
        ({"sbatch": {"constraint": "nope"}}, "sbatch", "Invalid feature", "mend what it says"),
    ],
)
def test_each_fault_is_named_with_what_to_change(
    root: Path, given: dict[str, Any], check: str, what: str, change: str
) -> None:
    found = problems(scheduler_checks(subject(root, **given)))
    (finding,) = (f for f in found if f.check == check and what in f.what)
    assert change in finding.change


def test_an_account_that_a_partition_does_not_admit_is_named(root: Path) -> None:
    found = problems(scheduler_checks(subject(root, partition="closed")))
    assert "closed does not admit account lab" in [f.what for f in found]


def test_without_its_clients_a_cluster_is_out_of_reach(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = scheduler_checks(subject(root))
    assert (finding.verdict, "sbatch, srun" in finding.what) == (Verdict.problem, True)


def test_a_controller_that_does_not_answer_is_a_problem(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = Path(os.environ["SLURM_CONF"]).read_text()
    elsewhere = tmp_path / "slurm.conf"
    elsewhere.write_text(
        "\n".join("SlurmctldPort=9" if "SlurmctldPort" in line else line for line in conf.splitlines())
    )
    monkeypatch.setenv("SLURM_CONF", str(elsewhere))
    *_, finding = scheduler_checks(subject(root))
    assert (finding.check, finding.verdict) == ("controller", Verdict.problem)


@pytest.mark.slow
def test_a_job_tells_what_only_a_node_sees(root: Path, lab: SlurmCluster) -> None:
    words = ("cluster=slurm", "cluster.qos=few", "+cluster.env={NCCL_SOCKET_IFNAME: lo}")
    done = run("launcher", "doctor", *words, "submit=true", root=root, env=lab.env)
    assert done.returncode == 0, done.stdout
    assert "resolves" in done.stdout.split(": host")[1].splitlines()[0]
    assert "NCCL_SOCKET_IFNAME=lo exists" in done.stdout.split(": interface")[1].splitlines()[0]
    assert not list(root.parent.iterdir())
    asked = ("squeue", "--noheader", "--me", "--name=isogrid-doctor")
    wait_for(lambda: lab.client(*asked) == "", "its job to be over")


@pytest.mark.slow
def test_a_suffix_that_leads_nowhere_shows_on_a_node(root: Path) -> None:
    found = problems(check_by_job(subject(root, gpus_per_node=0, host_suffix=".invalid"), 300.0))
    assert [f.what.partition(".invalid")[2] for f in found] == [" does not resolve, but n1 does"]


def test_a_job_that_does_not_start_is_cancelled(root: Path, lab: SlurmCluster) -> None:
    (finding,) = check_by_job(subject(root, sbatch={"begin": "now+1hour"}), 1.0)
    assert (finding.verdict, "is PENDING after 1 s" in finding.what) == (Verdict.warning, True)
    assert lab.client("squeue", "--noheader", "--me", "--name=isogrid-doctor") == ""


def test_a_job_that_fails_before_python_is_a_problem(root: Path) -> None:
    (finding,) = check_by_job(subject(root, gpus_per_node=0, srun_args=("--no-such-option",)), 300.0)
    assert finding.verdict is Verdict.problem
    assert "ended as FAILED: srun: unrecognized option '--no-such-option'" in finding.what
