"""The processes of one attempt: started on this machine or by srun, watched and ended as one."""

import contextlib
import logging
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from conf.schema import ClusterConfig, ClusterKind, ResourceConfig
from launcher.machines.slurm_client import hosts
from sweeps.costs.layout import num_nodes, ranks_per_node
from sweeps.folders import CHECKOUT

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
FIRST_PORT, LAST_PORT = 20_000, 30_000
"""Ranks meet on a port of this range, which lies below those that the kernel gives to clients."""
KILL_GRACE_S = 10.0
STEP_GRACE_S = 60.0
"""Slurm waits KillWait, 30 s by default, before it kills what ignores being told to end."""


class Ranks:
    """The running processes of an attempt. Several on this machine, or one srun with a step of tasks.

    As a context, it leaves none of them behind.

    Args:
        processes: started by this one.
        step: of srun, the order on the command line of its tasks and of no other process.
    """

    def __init__(
        self, processes: Sequence[subprocess.Popen[bytes]], *, step: Path | None = None
    ) -> None:
        self._processes, self._step = list(processes), step

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if any(process.poll() is None for process in self._processes):
            self.kill()

    def exit_codes(self) -> list[int] | None:
        """Return the codes of the processes that ended by themselves once the attempt is over.

        Until then None. One process that failed ends the attempt: the others would wait for it.
        """
        codes = [process.poll() for process in self._processes]
        if None in codes:
            if not any(codes):
                return None
            self.kill()
        else:
            self._kill_survivors()
        return [code for code in codes if code is not None]

    def kill(self) -> None:
        """End all processes at once, and wait until they are gone.

        An srun that is killed leaves its step behind, which keeps the nodes from the next attempt; one
        that is asked to end has the step killed first.
        """
        for process in self._processes if self._step else ():
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STEP_GRACE_S)
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._processes:
            process.wait(KILL_GRACE_S)
        self._kill_survivors()

    def _kill_survivors(self) -> None:
        """End the tasks on this host that outlive their srun.

        It gives up a node whose daemon is dead, with status 0 even, while the tasks go on there: the
        next attempt must not begin beside them. Elsewhere none goes on without the first rank, which
        is on this host.
        """
        if self._step is None:
            return
        import psutil  # not needed while ranks run

        order = str(self._step)
        listed = psutil.process_iter(["cmdline"])
        survivors = [process for process in listed if order in (process.info["cmdline"] or ())]
        for process in survivors:
            log.warning("process %d outlived its srun; ending it", process.pid)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(survivors, KILL_GRACE_S)


@dataclass(frozen=True, kw_only=True, slots=True)
class Crew:
    """What the processes of an attempt are to do: `python -m module order`, all writing to `log`.

    `shares_node`: other work items have their parts of the job's only node.
    """

    module: str
    order: Path
    log: Path
    resources: ResourceConfig
    shares_node: bool = False


def start(crew: Crew, cluster: ClusterConfig, *, timeout_s: float) -> Ranks:
    """Start the processes of an attempt.

    Args:
        crew: what they do.
        cluster: local, or the Slurm cluster in one of whose jobs this process is.
        timeout_s: for Slurm's client commands.
    """
    if cluster.kind is ClusterKind.local or crew.shares_node:
        return _start_local(crew)
    return _start_srun(crew, cluster, timeout_s=timeout_s)


def _start_local(crew: Crew) -> Ranks:
    """Start the ranks on this machine, each on a leash to this process."""
    meeting = _meeting(LOOPBACK)
    return Ranks([_local_rank(crew, rank, meeting) for rank in range(crew.resources.num_ranks)])


def _start_srun(crew: Crew, cluster: ClusterConfig, *, timeout_s: float) -> Ranks:
    """Start the ranks on the nodes of this Slurm job."""
    resources = crew.resources
    options = [
        f"--nodes={num_nodes(resources, cluster)}",
        f"--ntasks={resources.num_ranks}",
        f"--ntasks-per-node={ranks_per_node(resources, cluster)}",
        "--kill-on-bad-exit=1",
        "--input=none",
        "--open-mode=append",
        f"--output={crew.log}",
        *cluster.srun_args,
    ]
    first = hosts(os.environ["SLURM_JOB_NODELIST"], timeout_s)[0]  # where this process is, too
    meeting = _meeting(first + cluster.host_suffix)
    return Ranks([_start(crew, ["srun", *options], meeting, stdin=subprocess.DEVNULL)], step=crew.order)


def _local_rank(crew: Crew, rank: int, meeting: Mapping[str, str]) -> subprocess.Popen[bytes]:
    variables = {
        "RANK": str(rank),
        "WORLD_SIZE": str(crew.resources.num_ranks),
        "LOCAL_RANK": str(rank),
        "GLOO_SOCKET_IFNAME": socket.if_indextoname(1),
        **meeting,
    }
    return _start(crew, [], variables, stdin=subprocess.PIPE, options=["--leash"])


def _start(
    crew: Crew,
    prefix: Sequence[str],
    env: Mapping[str, str],
    *,
    stdin: int,
    options: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    with crew.log.open("ab") as output:
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", crew.module, str(crew.order), *options],
            cwd=CHECKOUT,
            env={**os.environ, **env, "OMP_NUM_THREADS": str(crew.resources.threads_per_rank)},
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _meeting(address: str) -> dict[str, str]:
    """Return where the ranks of one start meet, and a name by which they know each other."""
    return {
        "MASTER_ADDR": address,
        "MASTER_PORT": str(free_port()),
        "MEETING_NAME": secrets.token_hex(8),
    }


def free_port() -> int:
    """Return a port on which nobody listens now, on this host."""
    while True:
        port = random.randint(FIRST_PORT, LAST_PORT)
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port
