"""Several work items in one job, on one node: a supervisor process each, with its part of the node."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from launcher.jobs.departure import Departure
from launcher.jobs.stop import STOP_SIGNALS, StopRequest
from launcher.records.submission import Submission
from sweeps.folders import CHECKOUT

POLL_S = 0.2
DEVICES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
DRIVER_DEVICES = ("ROCR_VISIBLE_DEVICES",)
"""Names a job's GPUs to AMD's driver; the others then count among these. Slurm may set all of them,
whatever the GPUs are, so this one is left alone where another one can be narrowed."""


def supervise_pack(given: Submission, indices: Sequence[int], stop: StopRequest) -> set[Departure]:
    """Have all items supervised to their ends; return how they were left.

    What asks this process to stop is passed on to all.
    """
    # A signal that comes while a supervisor does not listen yet waits until it does.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    supervisors = list(_start_all(given, indices))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    passed_on: int | None = None
    while any(supervisor.poll() is None for supervisor in supervisors):
        if stop.signal is not None and stop.signal != passed_on:
            passed_on = stop.signal
            for supervisor in supervisors:
                supervisor.send_signal(passed_on)
        time.sleep(POLL_S)
    return {_departure(supervisor.returncode) for supervisor in supervisors}


def devices_of(slot: int, num_gpus: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that leave a process its GPUs among those of the job.

    Args:
        slot: which of the items in the job it works on.
        num_gpus: of each item.
        environment: of the job.
    """
    first, end = slot * num_gpus, (slot + 1) * num_gpus
    named = [name for name in DEVICES if environment.get(name)]
    return {
        name: ",".join(environment[name].split(",")[first:end])
        for name in named or DRIVER_DEVICES
        if environment.get(name) and num_gpus
    }


def cores_of(slot: int, num_slots: int, cores: Sequence[int]) -> list[int]:
    """Return the part of a job's cores that belongs to one of its items; all, if there are too few."""
    size = len(cores) // num_slots
    return list(cores[slot * size : (slot + 1) * size]) or list(cores)


def _start_all(given: Submission, indices: Sequence[int]) -> "Iterator[subprocess.Popen[bytes]]":
    cores = sorted(os.sched_getaffinity(0))
    num_gpus = given.items[0].resources.num_ranks if given.cluster.gpus_per_node else 0
    for slot, index in enumerate(indices):
        supervisor = _start(given.folder, index, devices_of(slot, num_gpus, os.environ))
        os.sched_setaffinity(supervisor.pid, cores_of(slot, len(indices), cores))
        yield supervisor


def _start(folder: Path, index: int, devices: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Start a supervisor; it dies with this process, which holds the other end of its input."""
    return subprocess.Popen(
        [sys.executable, "-m", "launcher.jobs.supervisor", str(folder), str(index)],
        cwd=CHECKOUT,
        env={**os.environ, **devices},
        stdin=subprocess.PIPE,
    )


def _departure(code: int) -> Departure:
    """Return what an exit code says; a supervisor that crashed has given up."""
    return Departure(code) if code in list(Departure) else Departure.gave_up
