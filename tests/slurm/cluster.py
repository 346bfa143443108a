"""A throw-away Slurm cluster on this machine: real daemons, fake nodes, loopback only.

Each node's slurmd runs in namespaces of its own (hostname, processes, mounts), so a node has a name
that resolves to loopback, and killing the namespace's first process is a power cut. Works as root, and
as any user where user namespaces are allowed. `python -m tests.slurm.cluster -- COMMAND …` runs a
command with a cluster around it.
"""

import argparse
import contextlib
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.commands import PATIENCE_S, wait_for
from tests.slurm.accounting import Accounting

DAEMONS = ("munged", "slurmctld", "slurmd", "unshare", "setpriv")
ACCOUNTING_DAEMONS = ("slurmdbd", "mariadbd", "mariadb-install-db")
INSTALL = "make system"
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none\n"

LEASH = ("setpriv", "--pdeathsig=KILL")
"""Ends what it starts when the thread that started it ends, so that a killed test leaves no daemon."""

FIRST_PORT, LAST_PORT, PORTS = 10_240, 19_000, 32
STOP_TIMEOUT_S = 10.0

SLURM_CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
{memory}\
MpiDefault=none
PropagateResourceLimits=NONE
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
GresTypes=gpu
JobRequeue=1
MaxJobCount=100000
KillWait=30
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmdTimeout=300
MessageTimeout=10
TCPTimeout=2
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=1,bf_continue
{accounting}\
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] \
CPUs={cpus} RealMemory=64000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 State=UP
"""

MEMORY_IS_FREE = """\
SelectTypeParameters=CR_CPU
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
"""
LIMITED_BY_KERNEL = """\
SelectTypeParameters=CR_CPU_Memory
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/none
FirstJobId={first_id}
"""
"""The groups of two clusters lie in one tree, named after nodes and jobs."""

LIMITED_BY_SLURM = """\
SelectTypeParameters=CR_CPU_Memory
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,NoShared
"""
CGROUPS = Path("/sys/fs/cgroup/memory")

NODE_SCRIPT = """
hostname "$2"
mount --bind "$1/etc/hosts" /etc/hosts
slurmd -D -N "$2" </dev/null >/dev/null 2>&1 &
daemon=$!
trap 'kill -TERM $daemon' TERM
wait $daemon
while pgrep -x slurmstepd >/dev/null; do sleep 1; done
"""


class SlurmCluster:
    """A running cluster; `env` is what a client needs.

    With `limits_memory` a job that uses more than it asked for is killed: by the kernel, where it has
    the memory groups that this Slurm knows and this user may make some, or else by Slurm itself.
    `more` are further lines of its slurm.conf.
    """

    def __init__(
        self,
        folder: Path,
        num_nodes: int = 4,
        cpus: int = 8,
        gpus: int = 4,
        *,
        has_accounting: bool = False,
        limits_memory: bool = False,
        more: str = "",
    ) -> None:
        self.folder = folder
        self.is_kept = False
        """Whether the folder, with its logs, is to stay."""
        self._num_nodes, self._cpus, self._gpus = num_nodes, cpus, gpus
        self._has_accounting, self._limits_memory, self._more = has_accounting, limits_memory, more
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.env = {
            **os.environ,
            "SLURM_CONF": str(folder / "etc/slurm.conf"),
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        }

    def start(self) -> None:
        """Start all daemons; return when every node is idle."""
        for name in ("etc", "state", "spool", "run", "log", "munge", "dev"):
            (self.folder / name).mkdir(parents=True)
        with _port_block() as port:
            host = socket.gethostname().partition(".")[0]
            accounting = Accounting(self.folder, host=host, port=port + PORTS - 1, user=_user())
            self._write_configuration(host, port, accounting)
            self._start_munge()
            if self._has_accounting:
                accounting.start(self._start_daemon, self.env)
            self.start_controller()
            for number in range(1, self._num_nodes + 1):
                self.start_node(f"n{number}")
            wait_for(self._all_idle, "all nodes to be idle")

    def start_node(self, name: str) -> None:
        """Start one node."""
        (self.folder / "spool" / name).mkdir(exist_ok=True)
        as_user = [] if os.geteuid() == 0 else ["--user", "--map-current-user", "--keep-caps"]
        spaces = ["--uts", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
        script = ["bash", "-c", NODE_SCRIPT, "node", str(self.folder), name]
        self._nodes[name] = self._start("unshare", *as_user, *spaces, *script)

    def cut_power(self, name: str) -> None:
        """End a node, its steps and their processes at once."""
        node = self._nodes.pop(name)
        node.kill()
        node.wait()

    def kill_daemon(self, name: str) -> None:
        """End a node's slurmd alone, with SIGKILL: its steps go on."""
        for process in self._slurmd(name):
            process.kill()

    def kill_controller(self) -> None:
        """End slurmctld with SIGKILL, once it has saved what it knows.

        It saves a few seconds after a change; what it has not saved by then, it forgets.
        """
        since = time.time()
        for job_id in self.client("squeue", "--me", "--noheader", "-o", "%A").split():
            self.client("scontrol", "update", f"jobid={job_id}", "comment=saved")
        saved = self.folder / "state/job_state"
        wait_for(
            lambda: saved.exists() and saved.stat().st_mtime >= since,
            "the state to be saved",
        )
        self._daemons["slurmctld"].kill()
        self._daemons["slurmctld"].wait()

    def start_controller(self) -> None:
        """Start slurmctld again; return when it answers."""
        self._start_daemon("slurmctld", "-D")
        wait_for(self._answers, "slurmctld to answer")

    def repair(self) -> None:
        """Start again what a test took away: the controller, nodes, or the daemons of nodes."""
        if self._daemons["slurmctld"].poll() is not None:
            self.start_controller()
        for number in range(1, self._num_nodes + 1):
            self._repair_node(f"n{number}")

    def _repair_node(self, name: str) -> None:
        if name in self._nodes and self._slurmd(name):
            return
        if name in self._nodes:
            self.cut_power(name)
        self.start_node(name)
        for state in ("down", "resume"):
            self.client("scontrol", "update", f"nodename={name}", f"state={state}", "reason=test")

    def _slurmd(self, name: str) -> list[psutil.Process]:
        try:
            below = psutil.Process(self._nodes[name].pid).children(recursive=True)
            return [process for process in below if process.name() == "slurmd"]
        except psutil.NoSuchProcess:
            return []

    def daemon(self, name: str) -> "subprocess.Popen[bytes]":
        """Return the process of `munged` or `slurmctld`."""
        return self._daemons[name]

    def client(self, *command: str) -> str:
        """Return what a Slurm client command prints."""
        done = subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
        return done.stdout

    def stop(self) -> None:
        """Cancel all jobs and stop everything that was started."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.client("scancel", "--user", _user(), "--full")
        for node in self._nodes.values():
            node.kill()
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for process in (*self._nodes.values(), *self._daemons.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            process.kill()
            process.wait()
        if self._limits_memory:
            self._remove_memory_groups()

    def _write_configuration(self, host: str, port: int, accounting: Accounting) -> None:
        lines = accounting.cluster_lines() if self._has_accounting else NO_ACCOUNTING
        values = {
            "accounting": lines,
            "memory": self._memory_lines(),
            "host": host,
            "port": port,
            "first": port + 1,
            "last": port + self._num_nodes,
            "user": _user(),
            "folder": self.folder,
            "nodes": self._num_nodes,
            "cpus": self._cpus,
            "gpus": self._gpus,
        }
        etc = self.folder / "etc"
        (etc / "slurm.conf").write_text(SLURM_CONF.format(**values) + self._more)
        (etc / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\n")
        # A gpu's file must be a character device, or Slurm silently counts none.
        for number in range(self._gpus):
            (self.folder / f"dev/gpu{number}").symlink_to("/dev/null")
        device = f"{self.folder}/dev/gpu[0-{self._gpus - 1}]"
        names = f"n[1-{self._num_nodes}]"
        (etc / "gres.conf").write_text(f"NodeName={names} Name=gpu File={device}\n")
        nodes = "".join(f"127.0.0.1 n{number}\n" for number in range(1, self._num_nodes + 1))
        (etc / "hosts").write_text(Path("/etc/hosts").read_text() + nodes)

    def _memory_lines(self) -> str:
        if not self._limits_memory:
            return MEMORY_IS_FREE
        if os.access(CGROUPS / "memory.limit_in_bytes", os.W_OK):
            return LIMITED_BY_KERNEL.format(first_id=random.randrange(10**6, 6 * 10**7))
        return LIMITED_BY_SLURM

    def _remove_memory_groups(self) -> None:
        """Remove the groups that nobody uses: Slurm leaves those of its nodes behind."""
        for number in range(1, self._num_nodes + 1):
            for folder, _, _ in os.walk(CGROUPS / f"slurm_n{number}", topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        key = munge / "key"
        key.touch(mode=0o600)
        key.write_bytes(random.randbytes(1024))
        munge.chmod(0o755)
        self._start_daemon(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={munge}/socket",
            f"--pid-file={self.folder}/run/munged.pid",
            f"--seed-file={munge}/seed",
            f"--log-file={self.folder}/log/munged.log",
        )
        wait_for((munge / "socket").exists, "munged to listen")

    def _start_daemon(
        self, *command: str, env: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        self._daemons[command[0]] = self._start(*command, env=env)
        return self._daemons[command[0]]

    def _start(self, *command: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        output = (self.folder / "log" / f"{command[0]}.out").open("ab")
        with output:
            return subprocess.Popen(
                (*LEASH, *command),
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        return self._succeeds("scontrol", "ping")

    def _all_idle(self) -> bool:
        try:
            shown = self.client("sinfo", "--noheader", "--Node", "-o", "%t")
        except subprocess.SubprocessError:
            return False
        return shown.split() == ["idle"] * self._num_nodes

    def _succeeds(self, *command: str) -> bool:
        try:
            self.client(*command)
        except subprocess.SubprocessError:
            return False
        return True


@contextlib.contextmanager
def running_cluster(num_nodes: int = 4, cpus: int = 8, **more: Any) -> Iterator[SlurmCluster]:
    """Run a cluster in a folder with a short name: Slurm's sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    cluster = SlurmCluster(folder, num_nodes, cpus, **more)
    try:
        cluster.start()
        yield cluster
    except BaseException:
        print(f"logs of the cluster: {folder}/log", file=sys.stderr)
        cluster.stop()
        raise
    cluster.stop()
    if not cluster.is_kept:
        shutil.rmtree(folder, ignore_errors=True)  # what dies with a node may still write for a moment


def missing_daemons(*more: str) -> list[str]:
    """Return what must be installed first."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return [name for name in (*DAEMONS, *more) if shutil.which(name, path=path) is None]


@contextlib.contextmanager
def _port_block() -> Iterator[int]:
    """Yield the first of some free ports; two clusters that start at once do not get the same."""
    while True:
        port = random.randrange(FIRST_PORT, LAST_PORT, PORTS)
        with (Path(tempfile.gettempdir()) / f".slurm-ports-{port}").open("w") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for number in range(port, port + PORTS):
                    socket.create_server(("127.0.0.1", number)).close()
            except OSError:
                continue
            yield port
            return


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def main() -> int:
    """Run a command with a cluster around it; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.slurm.cluster", description=main.__doc__)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--cpus", type=int, default=8, help="of each node")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    if missing := missing_daemons():
        print(f"{', '.join(missing)} not found; install with: {INSTALL}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with running_cluster(arguments.nodes, arguments.cpus) as cluster:
        return subprocess.run(arguments.command, env=cluster.env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
