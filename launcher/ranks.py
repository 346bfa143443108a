"""The processes of one attempt: started on this machine or by srun, watched and ended as one."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from conf.schema import ClusterConfig, ClusterKind, ResourceConfig
from launcher.slurm import first_host
from sweeps.cost import num_nodes, ranks_per_node
from sweeps.folders import CHECKOUT

LOOPBACK = "127.0.0.1"
FIRST_PORT, NUM_PORTS = 20_000, 10_000
"""Slurm jobs meet on a port of this range, by job id and attempt; it lies below the ephemeral ones."""
KILL_GRACE_S = 10.0


class Ranks:
    """The running processes of an attempt. Several on this machine, or one srun."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        self._processes = list(processes)

    def exit_codes(self) -> list[int] | None:
        """Return all exit codes once the attempt is over, else None.

        One process that failed ends the attempt: the others would wait for it.
        """
        codes = [process.poll() for process in self._processes]
        if any(codes) and None in codes:
            self.kill()
            codes = [process.poll() for process in self._processes]
        return None if None in codes else [code for code in codes if code is not None]

    def kill(self) -> None:
        """End all processes at once, and wait until they are gone."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._processes:
            process.wait(KILL_GRACE_S)


def start_local(module: str, order: Path, log: Path, resources: ResourceConfig) -> Ranks:
    """Start the ranks on this machine, each on a leash to this process."""
    port = _free_port()
    return Ranks(
        [
            _start(
                _command(module, order, "--leash"),
                log,
                {
                    "RANK": str(rank),
                    "WORLD_SIZE": str(resources.num_ranks),
                    "LOCAL_RANK": str(rank),
                    "MASTER_ADDR": LOOPBACK,
                    "MASTER_PORT": str(port),
                    "GLOO_SOCKET_IFNAME": socket.if_indextoname(1),
                    **_thread_limits(resources),
                },
                stdin=subprocess.PIPE,
            )
            for rank in range(resources.num_ranks)
        ]
    )


def start_srun(
    module: str,
    order: Path,
    log: Path,
    resources: ResourceConfig,
    cluster: ClusterConfig,
    *,
    attempt: int,
    timeout_s: float,
) -> Ranks:
    """Start the ranks on the nodes of this Slurm job."""
    options = [
        f"--nodes={num_nodes(resources, cluster)}",
        f"--ntasks={resources.num_ranks}",
        f"--ntasks-per-node={ranks_per_node(resources, cluster)}",
        "--kill-on-bad-exit=1",
        "--input=none",
        "--open-mode=append",
        f"--output={log}",
        *cluster.srun_args,
    ]
    job_id = int(os.environ["SLURM_JOB_ID"])
    master = first_host(os.environ["SLURM_JOB_NODELIST"], timeout_s) + cluster.host_suffix
    meeting = {
        "MASTER_ADDR": master,
        "MASTER_PORT": str(FIRST_PORT + (job_id * 31 + attempt) % NUM_PORTS),
        **_thread_limits(resources),
    }
    command = ["srun", *options, *_command(module, order)]
    return Ranks([_start(command, log, meeting, stdin=subprocess.DEVNULL)])


def start(
    module: str,
    order: Path,
    log: Path,
    resources: ResourceConfig,
    cluster: ClusterConfig,
    *,
    attempt: int,
    timeout_s: float,
) -> Ranks:
    """Start the ranks of an attempt where the cluster has them run.

    Args:
        module: run as `python -m module order`.
        order: what the ranks are told to do.
        log: all their output.
        resources: their number and threads.
        cluster: local, or the Slurm cluster in one of whose jobs this process is.
        attempt: number of the attempt.
        timeout_s: for Slurm's client commands.
    """
    if cluster.kind is ClusterKind.local:
        return start_local(module, order, log, resources)
    return start_srun(module, order, log, resources, cluster, attempt=attempt, timeout_s=timeout_s)


def _start(
    command: Sequence[str], log: Path, env: Mapping[str, str], *, stdin: int
) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **env},
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _command(module: str, order: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", module, str(order), *options]


def _thread_limits(resources: ResourceConfig) -> dict[str, str]:
    return {"OMP_NUM_THREADS": str(resources.threads_per_rank)}


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
