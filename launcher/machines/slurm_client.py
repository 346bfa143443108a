"""Slurm's client commands, each with a timeout, and their output in our words."""

import math
import os
import pwd
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from launcher.machines.queue import Ended, Job, Queue
from sweeps.errors import QueueUnknown, RequeueRefused, UsageError
from sweeps.work.outcome import Outcome

FIELDS = (
    "ArrayJobID", "ArrayTaskID", "JobID", "State", "Reason", "EndTime", "NodeList", "Account", "QOS",
    "Partition", "Name",
)  # fmt: skip
"""Columns asked of squeue. The name comes last: it may hold the separator, and even a newline."""

RUNNING_STATES = {"RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "SUSPENDED", "STOPPED"}
ENDED_STATES: dict[str, Outcome | None] = {
    "BOOT_FAIL": Outcome.node_failure,
    "CANCELLED": Outcome.cancelled,
    "COMPLETED": None,
    "DEADLINE": Outcome.time_limit,
    "FAILED": Outcome.crashed,
    "NODE_FAIL": Outcome.node_failure,
    "OUT_OF_MEMORY": Outcome.out_of_memory,
    "PREEMPTED": Outcome.preempted,
    "REVOKED": None,
    "TIMEOUT": Outcome.time_limit,
}
"""What a job was, that the controller still remembers for a while (MinJobAge), or sacct for good."""

CANCELLED_BY_SLURM = {"DependencyNeverSatisfied", "InvalidAccount", "InvalidQOS"}
"""Reasons for which Slurm itself cancels what waits."""

REQUEUE_REFUSALS = (
    "Access/permission denied", "Invalid job id specified", "Job can not be altered now",
    "Requested operation is presently disabled",
)  # fmt: skip
"""scontrol says one of these when it was answered, but the job stays as it is."""

EMPTY = {"", "(null)", "N/A", "None", "None assigned"}
RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")


def ask_queue(timeout_s: float) -> Queue:
    """Return the jobs of this user, those that ended a moment ago included.

    Raises:
        QueueUnknown: squeue failed or did not answer in time.
    """
    asked_at = time.time()
    columns = ",".join(f"{field}:|" for field in FIELDS)
    shown = client(
        ["squeue", "--me", "--noheader", "--all", "--states=all", "-O", columns],
        timeout_s,
        epoch_times(),
    )
    lines = list(parse_queue(shown))
    return Queue(
        asked_at=asked_at,
        jobs=tuple(line for line in lines if isinstance(line, Job)),
        ended=tuple(line for line in lines if isinstance(line, Ended)),
    )


def parse_queue(shown: str) -> Iterator[Job | Ended]:
    """Yield the jobs in squeue's output; lines that are parts of a name with a newline are dropped."""
    for line in shown.splitlines():
        fields = line.split("|", len(FIELDS) - 1)
        if len(fields) < len(FIELDS) or not fields[0].strip().isdigit():
            continue
        array_id, task, job_id, state, reason, at, nodes, *charged, name = map(str.strip, fields)
        name, is_array = name.removesuffix("|"), task != "N/A"
        indices = frozenset(parse_indices(task)) if is_array else None
        if state in ENDED_STATES:
            yield ended(array_id, name, indices, end=(state, reason, at, nodes))
            continue
        account, qos, partition, why = ("" if word in EMPTY else word for word in (*charged, reason))
        yield Job(
            job_id=f"{array_id}_{task}" if is_array and task.isdigit() else job_id,
            name=name,
            indices=indices,
            is_running=state in RUNNING_STATES,
            account=account,
            qos=qos,
            partition=partition,
            reason="" if state in RUNNING_STATES else why,
        )


def ended(
    job_id: str, name: str, indices: frozenset[int] | None, *, end: tuple[str, str, str, str]
) -> Ended:
    """Return how a job ended. `end`: its state, one of ENDED_STATES; reason; end time; nodes."""
    state, reason, at, nodes = end
    outcome = ENDED_STATES[state]
    if outcome is Outcome.cancelled and reason in CANCELLED_BY_SLURM:
        outcome = None
    words = [state, "" if reason in EMPTY else reason, "" if nodes in EMPTY else f"on {nodes}"]
    return Ended(
        job_id=job_id,
        name=name,
        indices=indices,
        outcome=outcome,
        at=float(at) if at.isdigit() else math.inf,
        reason=" ".join(filter(None, words)),
    )


def parse_indices(text: str) -> list[int]:
    """Return the array indices of squeue's `0-3,7,10-20:5%4`."""
    indices: list[int] = []
    for part in text.partition("%")[0].split(","):
        found = RANGE.fullmatch(part)
        if not found:
            raise QueueUnknown(f"squeue lists array indices as {text!r}, which is cut or unknown")
        first, last, step = (int(n) if n else None for n in found.groups())
        assert first is not None
        indices.extend(range(first, (first if last is None else last) + 1, step or 1))
    return indices


def client(command: Sequence[str], timeout_s: float, env: Mapping[str, str] | None = None) -> str:
    """Return the standard output of a Slurm client command.

    Raises:
        QueueUnknown: it failed or took longer than `timeout_s`.
        UsageError: there is no such command on this machine.
    """
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=clean_environment() if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError(
            f"{command[0]} is not on this machine; a Slurm cluster needs its client commands: run on "
            f"a login node, or use cluster=local"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise QueueUnknown(f"{command[0]} did not answer in {timeout_s:g} s") from error
    if done.returncode:
        raise QueueUnknown(f"{command[0]} failed: {' '.join(done.stderr.split()) or 'no message'}")
    return done.stdout


def own_job_id() -> str | None:
    """Return the id that means this process's job alone; SLURM_JOB_ID may name a whole array."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    if array is not None:
        return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID")


def clean_environment() -> dict[str, str]:
    """Return the environment without what an enclosing job or step would leak into a new one.

    SLURM_CONF stays: it says which cluster. SLURM_BITSTR_LEN=0 keeps squeue from cutting array lists.
    """
    leaking = ("SLURM_", "SLURMD_", "SRUN_", "SBATCH_", "SUBMITIT_", "SQUEUE_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(leaking) or k == "SLURM_CONF"}
    return {**kept, "SLURM_BITSTR_LEN": "0"}


def epoch_times() -> dict[str, str]:
    """Return the environment in which Slurm's clients show times as seconds since 1970."""
    return {**clean_environment(), "SLURM_TIME_FORMAT": "%s"}


def known_names(option: str, timeout_s: float) -> list[str]:
    """Return the partitions of the cluster, or the accounts or QOS of this user.

    Empty where there is no accounting to ask.
    """
    user = pwd.getpwuid(os.getuid()).pw_name
    commands = {
        "partition": ["sinfo", "--noheader", "--format=%R"],
        "account": ["sacctmgr", "-nP", "show", "assoc", f"user={user}", "format=account"],
        "qos": ["sacctmgr", "-nP", "show", "assoc", f"user={user}", "format=qos"],
    }
    try:
        shown = client(commands[option], timeout_s)
    except (QueueUnknown, UsageError):
        return []
    return sorted({name for line in shown.split() for name in line.split(",") if name})


def hosts(nodelist: str, timeout_s: float) -> tuple[str, ...]:
    """Return the hosts of a Slurm node list such as `n[1-4,7]`, in its order."""
    return tuple(client(["scontrol", "show", "hostnames", nodelist], timeout_s).split())


def why_told_to_end(job_id: str, restart: int, timeout_s: float) -> Outcome:
    """Return why a running job, in its `restart`-th start, was told to end.

    A job that is requeued or preempted has one more restart by then, or a time of preemption; one at
    its limit names it; one that its user cancelled shows nothing.
    """
    shown = client(["scontrol", "--oneliner", "show", "job", job_id], timeout_s)
    fields = dict(re.findall(r"\b(Restarts|Reason|PreemptTime)=(\S+)", shown))
    if "Restarts" not in fields or "Reason" not in fields:
        raise QueueUnknown(f"scontrol shows no restarts and reason of job {job_id}")
    if int(fields["Restarts"]) > restart or fields.get("PreemptTime", "None") != "None":
        return Outcome.preempted
    if fields["Reason"] == "TimeLimit":
        return Outcome.time_limit
    return Outcome.cancelled if fields["Reason"] == "None" else Outcome.stopped


def requeue(job_id: str, timeout_s: float) -> None:
    """Put a job back into the queue. Slurm ends the caller's own job within a moment.

    Raises:
        RequeueRefused: Slurm does not, as where jobs are submitted with `no-requeue`.
        QueueUnknown: it did not answer.
    """
    try:
        client(["scontrol", "requeue", job_id], timeout_s)
    except QueueUnknown as error:
        if any(refusal in str(error) for refusal in REQUEUE_REFUSALS):
            raise RequeueRefused(str(error)) from error
        raise
