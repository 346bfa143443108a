"""This machine as a cluster: a supervisor process a work item, found again by its command line.

A supervisor is started in a session of its own, so it outlives a killed launcher, and the next one
recognises it, as it would recognise a Slurm job by its name.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil

from conf.schema import ClusterConfig
from launcher.machines.queue import Job, Queue
from launcher.records.submission import Submission, output_path, read
from sweeps.errors import DamagedFile
from sweeps.host import this_host, usable_cores

MODULE = "launcher.jobs.job"


class LocalExecutor:
    """Starts supervisors here; their process is the job."""

    max_array_size = 1

    def __init__(self, cluster: ClusterConfig) -> None:
        self.all_cores = cluster.cores_per_node or usable_cores()
        self._children: list[subprocess.Popen[bytes]] = []
        self._folders: dict[str, Path] = {}
        self._taken: dict[Path, int] = {}

    @property
    def where(self) -> str:
        """`local@host`."""
        return f"local@{this_host()}"

    def queue(self) -> Queue:
        """Return the supervisors that are alive."""
        asked_at = time.time()
        self._children = [child for child in self._children if child.poll() is None]
        self._folders = {str(pid): folder for pid, folder in _supervisors()}
        jobs = tuple(
            Job(job_id=pid, name=folder.name, indices=None, is_running=True)
            for pid, folder in self._folders.items()
        )
        return Queue(asked_at=asked_at, jobs=jobs)

    def refuse_excess(self, num_nodes: int) -> None:
        """Refuse nothing: a job larger than the machine has it to itself."""

    def room(self, queue: Queue) -> None:
        """Return None: nobody counts jobs here."""

    def ends(self, job_ids: Collection[str]) -> None:
        """Return None: only a supervisor itself says how it ended."""

    def avoided(self) -> tuple[str, ...]:
        """Return no node: there is one."""
        return ()

    def submit(self, submission: Submission, avoided: Collection[str]) -> str:
        """Start a supervisor; the job id is its process id.

        Python finds the code in the current folder first, unless PYTHONSAFEPATH is set.
        """
        del avoided
        with output_path(submission.folder, 0).open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(submission.folder)],
                cwd=submission.code,
                env={name: text for name, text in os.environ.items() if name != "PYTHONSAFEPATH"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append(child)
        return str(child.pid)

    def stop(self, job_ids: Collection[str]) -> None:
        """Ask supervisors to save a checkpoint and leave."""
        for job_id in job_ids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(job_id), signal.SIGTERM)

    def free_cores(self, queue: Queue) -> int:
        """Return the cores that no live supervisor's item takes, whichever root it belongs to."""
        return self.all_cores - sum(self._cores_taken(self._folders[job.job_id]) for job in queue.jobs)

    def _cores_taken(self, folder: Path) -> int:
        if folder not in self._taken:
            try:
                self._taken[folder] = read(folder).items[0].resources.num_cores
            except DamagedFile:
                return 1  # of a root that was deleted, or of another version
        return self._taken[folder]


def _supervisors() -> Iterator[tuple[int, Path]]:
    """Yield (process id, submission folder) of this user's supervisors on this machine."""
    for process in psutil.process_iter(["uids"]):
        uids = process.info["uids"]
        if uids is None or uids.real != os.getuid():
            continue
        try:
            command, status = process.cmdline(), process.status()
        except psutil.Error:
            continue  # it ended meanwhile
        if command[1:3] == ["-m", MODULE] and status != psutil.STATUS_ZOMBIE:
            yield process.pid, Path(command[-1])
