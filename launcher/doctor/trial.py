"""A job of some seconds on the cluster: much shows only from a compute node.

The job runs `launcher.doctor.probe` as ranks are run; it leaves its findings in a probe folder under
the root. A job that is not through in time is cancelled.
"""

import re
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from conf.schema import ClusterConfig, ResourceConfig
from launcher.doctor.findings import Finding, Subject, ok, problem, warning
from launcher.doctor.folder import probe_folder
from launcher.machines.batch import code_lines, environment_lines, named_options
from launcher.machines.slurm_client import client
from launcher.provenance import snapshot
from sweeps import durable
from sweeps.costs.layout import cores_per_rank, gpus_per_node, num_nodes, ranks_per_node
from sweeps.errors import QueueUnknown
from sweeps.folders import Root
from sweeps.hidden import HIDDEN_S
from sweeps.text import plural

SUBJECT, FINDINGS, SCRIPT, LOG = "subject.json", "findings.json", "job.sh", "job.log"
TIME_MIN = 5
POLL_S = 1.0

WRONG = re.compile("error|unrecognized|not found|no such|denied|cannot", re.IGNORECASE)
AFTERWARDS = re.compile("Exited with exit code|Terminating|--help")
"""What Slurm adds when the reason has been told."""

UNKNOWN = "unknown"
ALIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "REQUEUED"}


def check_acceptance(subject: Subject) -> Iterator[Finding]:
    """Ask sbatch whether it would take a job of the largest run, without making one."""
    cluster = subject.cluster
    layouts = [run.resources for run in subject.runs] or [_one_node(cluster)]
    largest = max(layouts, key=lambda layout: num_nodes(layout, cluster))
    options = _options(cluster, largest, cluster.time_min)
    what = f"a job of {plural(num_nodes(largest, cluster), 'node')} and {cluster.time_min} min"
    try:
        client(["sbatch", "--test-only", *options, "--wrap=true"], subject.timeout_s)
    except QueueUnknown as error:
        yield problem("sbatch", f"does not take {what}: {error}", "mend what it says in the preset")
    else:
        yield ok("sbatch", f"would take {what}")


def check_by_job(subject: Subject, wait_s: float) -> Iterator[Finding]:
    """Run the probe on a compute node; wait no longer than `wait_s` for it to start and end."""
    with probe_folder(subject.root) as folder:
        durable.replace(folder / SUBJECT, durable.encode(replace(subject, runs=())))
        code = snapshot.take(Root(folder)).folder
        durable.replace(folder / SCRIPT, job_script(subject.cluster, folder, code).encode())
        try:
            shown = client(["sbatch", "--parsable", str(folder / SCRIPT)], subject.timeout_s)
        except QueueUnknown as error:
            yield problem("job", f"was not taken: {error}", "mend what it says in the preset")
            return
        job_id = shown.strip().partition(";")[0]
        try:
            yield from _outcome(job_id, folder, subject.timeout_s, wait_s)
        finally:
            client(["scancel", job_id], subject.timeout_s)


def job_script(cluster: ClusterConfig, folder: Path, code: Path) -> str:
    """Return a batch script that runs the probe as ranks are run, from a copy of the code."""
    options = [
        "--job-name=isogrid-doctor",
        f"--output={folder / LOG}",
        *_options(cluster, _one_node(cluster), min(TIME_MIN, cluster.time_min)),
    ]
    probe = ["srun", "--nodes=1", "--ntasks=1", *cluster.srun_args]
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {shlex.quote(option)}" for option in options),
            *environment_lines(cluster),
            *code_lines(code),
            f"exec {shlex.join([*probe, sys.executable, '-m', 'launcher.doctor.probe', str(folder)])}",
            "",
        ]
    )


def _outcome(job_id: str, folder: Path, timeout_s: float, wait_s: float) -> Iterator[Finding]:
    """Wait for what the job found; say why there is nothing if it found nothing."""
    deadline, gone_at = time.monotonic() + wait_s, None
    while True:
        state = _state_of(job_id, timeout_s)
        if (found := durable.read(folder / FINDINGS, tuple[Finding, ...])) is not None:
            yield from found
            return
        now = time.monotonic()
        if state in ALIVE and now > deadline:
            change = "try again later, or with a partition or QOS for short tries"
            yield warning("job", f"{job_id} is {state} after {wait_s:.0f} s, and was cancelled", change)
            return
        gone_at = None if state in ALIVE else (gone_at or now)
        if gone_at is not None and (_has_failed(state, folder) or now > gone_at + HIDDEN_S):
            yield _silent(job_id, state, folder)
            return
        time.sleep(POLL_S)


def _has_failed(state: str, folder: Path) -> bool:
    """Return whether a job that is over left no findings for sure, and said why."""
    return state not in ("COMPLETED", UNKNOWN) and bool(_last_words(folder))


def _silent(job_id: str, state: str, folder: Path) -> Finding:
    what = f"{job_id} ended as {state}"
    if last := _last_words(folder):
        return problem("job", f"{what}: {last}", "mend what it says in the preset")
    change = "put the root where compute nodes see it"
    return problem("job", f"{what} and left nothing in {folder.parent}", change)


def _last_words(folder: Path) -> str:
    """Return the last line of the job's log that says what is wrong, else the last of all."""
    try:
        said = (folder / LOG).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    last_first = [line.strip() for line in reversed(said) if line.strip()]
    telling = (line for line in last_first if WRONG.search(line) and not AFTERWARDS.search(line))
    return next(telling, last_first[0] if last_first else "")


def _state_of(job_id: str, timeout_s: float) -> str:
    try:
        shown = client(
            ["squeue", "--noheader", "--states=all", f"--jobs={job_id}", "--format=%T"], timeout_s
        )
    except QueueUnknown as error:
        return UNKNOWN if "Invalid job id" in str(error) else "PENDING"
    return shown.strip() or UNKNOWN


def _one_node(cluster: ClusterConfig) -> ResourceConfig:
    return ResourceConfig(num_ranks=cluster.ranks_per_node or cluster.gpus_per_node or 1)


def _options(cluster: ClusterConfig, layout: ResourceConfig, time_min: int) -> list[str]:
    options = {
        "nodes": num_nodes(layout, cluster),
        "ntasks_per_node": ranks_per_node(layout, cluster),
        "cpus_per_task": cores_per_rank(layout, cluster),
        "time": time_min,
        **cluster.sbatch,
        **named_options(cluster, gpus_per_node(layout, cluster)),
    }
    return [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
