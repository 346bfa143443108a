"""Accounting for the throw-away cluster: MariaDB on a socket, slurmdbd, and limits to run into."""

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.commands import PATIENCE_S

CLUSTER_LINES = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations,limits,qos
PreemptType=preempt/qos
PreemptMode=REQUEUE
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
PidFile={folder}/run/slurmdbd.pid
LogFile={folder}/log/slurmdbd.log
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={user}
StorageLoc=slurm_acct
"""

ENTITIES = """\
add cluster lab
add qos few,urgent
modify qos few set MaxSubmitJobsPerUser=3 MaxSubmitJobsPerAccount=400 MaxWall=600 Flags=DenyOnLimit
modify qos urgent set Priority=1000 Preempt=normal PreemptMode=requeue
add account institute Cluster=lab GrpSubmitJobs=500 Description=institute Organization=lab
add account lab Cluster=lab Parent=institute Description=lab Organization=lab
add user {user} Account=lab Cluster=lab DefaultAccount=lab QOS=normal,few,urgent AdminLevel=Admin
modify user where name={user} set DefaultAccount=lab QOS=normal,few,urgent
"""

Start = Callable[..., "subprocess.Popen[bytes]"]


class Accounting:
    """Starts the database and slurmdbd below a cluster's folder."""

    def __init__(self, folder: Path, *, host: str, port: int, user: str) -> None:
        self._folder = folder
        self._socket = folder / "run/my.sock"
        self._values = {"folder": folder, "host": host, "port": port, "user": user}

    def cluster_lines(self) -> str:
        """Return what slurm.conf says of it."""
        return CLUSTER_LINES.format(**self._values)

    def start(self, start: Start, env: Mapping[str, str]) -> None:
        """Start both daemons with `start` and enter accounts and limits."""
        self._make_database()
        start(*self._mariadbd())
        admin = ["mariadb-admin", "--no-defaults", f"--socket={self._socket}", "ping"]
        _wait_for(admin, env)
        create = "create database if not exists slurm_acct"
        mariadb = ["mariadb", "--no-defaults", f"--socket={self._socket}", "-e", create]
        subprocess.run(mariadb, check=True, capture_output=True, timeout=PATIENCE_S)
        start("slurmdbd", "-D", env={"MYSQL_UNIX_PORT": str(self._socket)})
        _wait_for(["sacctmgr", "-n", "list", "cluster"], env)
        entities = ENTITIES.format(**self._values).encode()
        subprocess.run(
            ["sacctmgr", "-i"], env=dict(env), input=entities, capture_output=True, check=True
        )

    def _make_database(self) -> None:
        configuration = self._folder / "etc/slurmdbd.conf"
        configuration.write_text(SLURMDBD_CONF.format(**self._values))
        configuration.chmod(0o600)
        (self._folder / "db").mkdir()
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self._folder}/db",
                f"--user={self._values['user']}",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )

    def _mariadbd(self) -> list[str]:
        return [
            "mariadbd",
            "--no-defaults",
            f"--user={self._values['user']}",
            f"--datadir={self._folder}/db",
            f"--socket={self._socket}",
            f"--pid-file={self._folder}/run/mariadbd.pid",
            "--skip-networking",
            "--skip-grant-tables",
            "--skip-log-bin",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
        ]


def _wait_for(command: list[str], env: Mapping[str, str], timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while subprocess.run(command, env=dict(env), capture_output=True, check=False).returncode:
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s for {command[0]} to succeed")
        time.sleep(0.1)
