"""What Slurm's clients print, and what we write for them; without a cluster."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from conf.schema import ClusterConfig, ClusterKind, PolicyConfig, ResourceConfig
from launcher.machines.accounting import parse_ends
from launcher.machines.queue import Ended, Job
from launcher.machines.refusals import failure_of
from launcher.machines.sbatch import script
from launcher.machines.slurm_client import clean_environment, client, parse_indices, parse_queue
from launcher.records.submission import Submission
from sweeps.composing.compose import compose_request
from sweeps.errors import QueueUnknown, SubmissionDeferred, SubmissionRefused, UsageError
from sweeps.folders import CONF
from sweeps.work.outcome import Outcome
from tests.commands import PATIENCE_S
from tests.launcher.worlds import runs, work

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("7", [7]),
        ("0-3", [0, 1, 2, 3]),
        ("0-1,4,7-8%2", [0, 1, 4, 7, 8]),
        ("1-9:4%3", [1, 5, 9]),
        ("3,10-14:2", [3, 10, 12, 14]),
    ],
)
def test_array_indices(text: str, indices: list[int]) -> None:
    assert parse_indices(text) == indices


@pytest.mark.parametrize("text", ["0-1,4,...", "", "0-", "a"])
def test_indices_that_are_cut_are_unknown_and_not_empty(text: str) -> None:
    with pytest.raises(QueueUnknown, match="which is cut or unknown"):
        parse_indices(text)


def test_the_queue_is_read_past_other_peoples_names() -> None:
    shown = "\n".join(
        [
            "12|N/A|12|RUNNING|None|1700000000|n1|lab|normal|main|isogrid-a-train-1|",
            "13|0-1,3%2|13|PENDING|(Nodes, down)|1700000000||lab|few|main,gpu|isogrid-a-train-2|",
            "13|2|15|RUNNING|None|1700000000|n[1-2]|lab|few|main|isogrid-a-train-2|",
            "16|N/A|16|RUNNING|None|1700000000|n1|(null)|(null)|main|a|name with | bars|",
            "17|N/A|17|PENDING|Priority|1700000000||(null)|(null)|main|a name",
            "with a newline|",
            "19|N/A|19|REQUEUED|None|1700000000||(null)|(null)|main|isogrid-a-train-4|",
            "20|N/A|20|SPECIAL_EXIT|job requeued in held state|1700000000||lab|few|main|held|",
            "",
        ]
    )
    few = {"account": "lab", "qos": "few"}
    assert list(parse_queue(shown)) == [
        Job(job_id="12", name="isogrid-a-train-1", indices=None, is_running=True,
            account="lab", qos="normal", partition="main"),
        Job(job_id="13", name="isogrid-a-train-2", indices=frozenset({0, 1, 3}), is_running=False,
            partition="main,gpu", reason="(Nodes, down)", **few),
        Job(job_id="13_2", name="isogrid-a-train-2", indices=frozenset({2}), is_running=True,
            partition="main", **few),
        Job(job_id="16", name="a|name with | bars", indices=None, is_running=True, partition="main"),
        Job(job_id="17", name="a name", indices=None, is_running=False, partition="main",
            reason="Priority"),
        Job(job_id="19", name="isogrid-a-train-4", indices=None, is_running=False, partition="main"),
        Job(job_id="20", name="held", indices=None, is_running=False, partition="main",
            reason="job requeued in held state", **few),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "reason", "nodes", "outcome", "said"),
    [
        ("CANCELLED", "None", "n1", Outcome.cancelled, "CANCELLED on n1"),
        ("CANCELLED", "JobHeldUser", "", Outcome.cancelled, "CANCELLED JobHeldUser"),
        ("CANCELLED", "DependencyNeverSatisfied", "", None, "CANCELLED DependencyNeverSatisfied"),
        ("NODE_FAIL", "None", "n[1-2]", Outcome.node_failure, "NODE_FAIL on n[1-2]"),
        (
            "OUT_OF_MEMORY",
            "OutOfMemory",
            "n1",
            Outcome.out_of_memory,
            "OUT_OF_MEMORY OutOfMemory on n1",
        ),
        ("TIMEOUT", "TimeLimit", "n1", Outcome.time_limit, "TIMEOUT TimeLimit on n1"),
        ("PREEMPTED", "None", "n1", Outcome.preempted, "PREEMPTED on n1"),
        ("FAILED", "NonZeroExitCode", "n1", Outcome.crashed, "FAILED NonZeroExitCode on n1"),
        ("COMPLETED", "None", "n1", None, "COMPLETED on n1"),
    ],
)
def test_the_queue_tells_for_a_while_how_jobs_ended(
    state: str, reason: str, nodes: str, outcome: Outcome | None, said: str
) -> None:
    (line,) = parse_queue(
        f"18|0,3-4|18|{state}|{reason}|1700000000|{nodes}|lab|few|main|isogrid-a-train-3|"
    )
    assert line == Ended(
        job_id="18",
        name="isogrid-a-train-3",
        indices=frozenset({0, 3, 4}),
        outcome=outcome,
        at=1.7e9,
        reason=said,
    )


def test_accounting_tells_it_of_jobs_that_the_controller_has_forgotten() -> None:
    shown = "\n".join(
        [
            "2|CANCELLED by 1000|None|1700000000|None assigned|isogrid-a-train-1",
            "12_[0,3-5]|CANCELLED by 0|JobHeldUser|Unknown|None assigned|isogrid-a-train-2",
            "12_1|FAILED|None|1700000000|n1|isogrid-a-train-2",
            "12_2|RUNNING|None|Unknown|n1|isogrid-a-train-2",
            "14|COMPLETED|None|1700000000|n1|name | with bars",
            "",
        ]
    )
    assert [(e.name, e.indices, e.outcome) for e in parse_ends(shown)] == [
        ("isogrid-a-train-1", None, Outcome.cancelled),
        ("isogrid-a-train-2", {0, 3, 4, 5}, Outcome.cancelled),
        ("isogrid-a-train-2", {1}, Outcome.crashed),
        ("name | with bars", None, None),
    ]


def test_an_enclosing_job_does_not_leak_but_the_cluster_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SBATCH_ACCOUNT", "SRUN_CPUS_PER_TASK", "SQUEUE_FORMAT", "SLURM_CONF"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("OWN", "y")
    kept = clean_environment()
    assert {name for name in kept if name.startswith(("SLURM", "SB", "SR", "SQ"))} == {
        "SLURM_CONF",
        "SLURM_BITSTR_LEN",
    }
    assert kept["OWN"] == "y"


@pytest.mark.parametrize(
    ("command", "timeout_s", "error", "message"),
    [
        (["false"], PATIENCE_S, QueueUnknown, "false failed: no message"),
        (["sleep", "3600"], 0.2, QueueUnknown, "sleep did not answer in 0.2 s"),
        (["no-such-client"], PATIENCE_S, UsageError, "no-such-client is not on this machine"),
    ],
)
def test_a_client_that_fails_is_unknown(
    command: list[str], timeout_s: float, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        client(command, timeout_s)


FAILED = "sbatch: error: Batch job submission failed: "
POLICY = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (f"sbatch: error: QOSMaxWallDurationPerJobLimit {FAILED}{POLICY}", SubmissionRefused),
        (f"sbatch: error: QOSMaxNodePerJobLimit {FAILED}{POLICY}", SubmissionRefused),
        (f"sbatch: error: No project may submit here {FAILED}Unspecified error", SubmissionRefused),
        (f"{FAILED}Requested reservation is invalid", SubmissionRefused),
        (f"{FAILED}Invalid license specification", SubmissionRefused),
        ("sbatch: error: Invalid --time specification", SubmissionRefused),
        ("sbatch: unrecognized option '--nope'", SubmissionRefused),
        (f"sbatch: error: AssocMaxSubmitJobLimit {FAILED}{POLICY}", SubmissionDeferred),
        (f"{FAILED}Required partition not available (inactive or drain)", SubmissionDeferred),
        (f"{FAILED}Unable to contact slurm controller (connect failure)", QueueUnknown),
        (f"{FAILED}Socket timed out on send/recv operation", QueueUnknown),
        (f"{FAILED}Zero Bytes were transmitted or received", QueueUnknown),
        (f"{FAILED}Unexpected message received", QueueUnknown),
        (f"{FAILED}Connection refused", QueueUnknown),
        ("sbatch: fatal: Unable to process configuration file", QueueUnknown),
        ("", QueueUnknown),
    ],
)
def test_an_sbatch_that_failed_made_no_job_unless_the_way_to_slurm_failed(
    message: str, error: type[Exception]
) -> None:
    assert type(failure_of(message)) is error


def submission(cluster: ClusterConfig, resources: ResourceConfig, num_items: int) -> Submission:
    items = [replace(item, resources=resources) for item in work(runs(num_items)).train]
    return Submission(
        id="isogrid-abc-sweep-train-1",
        where="slurm@x",
        root=Path("/roots/my root"),
        cluster=cluster,
        policy=PolicyConfig(),
        code=Path("/roots/my root/code/c0ffee"),
        checkout=Path("/home/me/isogrid"),
        commit="c0ffee",
        train=tuple(items),
    )


OWN = ClusterConfig(
    name="own",
    kind=ClusterKind.slurm,
    account="my account",
    time_min=90,
    modules=("CUDA/12", "odd name; rm -rf ~"),
    env={"B": "it's $HOME", "A": "1"},
    sbatch={"constraint": "a100&ib"},
)
PRESETS = sorted(
    path.stem for path in (CONF / "cluster").glob("*.yaml") if path.stem not in ("local", "slurm")
)


def preset(name: str) -> Submission:
    launch = compose_request(["sweep=quickstart", f"cluster={name}"]).launch
    return submission(launch.cluster, ResourceConfig(num_ranks=16), 3)


def packed() -> Submission:
    train = submission(OWN, ResourceConfig(), 6).train
    return replace(preset("juwels_booster"), train=train, pack=4, after_job="12")


SCRIPTS: dict[str, Callable[[], Submission]] = {
    "juwels_booster_packed": packed,
    "own_single": partial(submission, OWN, ResourceConfig(), 1),
    **{name: partial(preset, name) for name in PRESETS},
}


@pytest.fixture
def slurm_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that submitit looks for before it writes a script."""
    for fake in ("srun", "sbatch"):
        (tmp_path / fake).touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_batch_script_is_the_one_that_was_agreed_on(
    name: str, slurm_is_there: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/venv/bin/python")
    text = script(SCRIPTS[name]())
    assert text == (GOLDEN / f"{name}.sh").read_text()


@pytest.mark.parametrize(
    ("own", "avoided", "line"),
    [
        ({}, ("n3", "n1"), "#SBATCH --exclude=n3,n1"),
        ({"exclude": "n9"}, ("n3",), "#SBATCH --exclude=n9,n3"),
        ({"exclude": "n9"}, (), "#SBATCH --exclude=n9"),
    ],
)
def test_jobs_keep_off_nodes_in_quarantine_and_off_those_that_the_cluster_names(
    own: dict[str, str], avoided: tuple[str, ...], line: str, slurm_is_there: None
) -> None:
    given = submission(replace(OWN, sbatch=own), ResourceConfig(), 1)
    assert line in script(given, avoided).splitlines()


def test_jobs_ask_to_be_requeued_unless_the_cluster_forbids_it(slurm_is_there: None) -> None:
    asked, forbidden = (
        script(submission(replace(OWN, sbatch=own), ResourceConfig(), 1)).splitlines()
        for own in ({}, {"no-requeue": ""})
    )
    assert "#SBATCH --requeue" in asked
    assert "#SBATCH --no-requeue" in forbidden
    assert "#SBATCH --requeue" not in forbidden
