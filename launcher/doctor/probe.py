"""What a compute node sees, written to the folder that `launcher.doctor.trial` waits for.

`python -m launcher.doctor.probe FOLDER`, inside a job.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from launcher.doctor.findings import Finding, Subject, ok, warning
from launcher.doctor.folder import check_promises
from launcher.doctor.network import check_host, check_interfaces, interfaces
from launcher.doctor.software import check_python
from launcher.doctor.trial import FINDINGS, SUBJECT
from launcher.machines.slurm_client import hosts
from sweeps import durable
from sweeps.errors import DamagedFile
from sweeps.host import this_host


def examine_node(subject: Subject, folder: Path, host: str) -> Iterator[Finding]:
    """Yield what is found from here; `host` is the job's first one."""
    here = f"node {this_host()}"
    yield ok(here, f"sees the root and starts {sys.executable}")
    cluster = subject.cluster
    checks = [
        *check_promises(folder),
        *check_host(host, cluster.host_suffix, is_on_node=True),
        *check_interfaces(cluster.env, interfaces(), is_on_node=True),
        *check_python(cluster, is_on_node=True),
        *_check_requeue(),
    ]
    for finding in checks:
        yield Finding(
            check=f"{here}: {finding.check}",
            verdict=finding.verdict,
            what=finding.what,
            change=finding.change,
        )


def main() -> int:
    """Examine this node; leave the findings in the folder that is named."""
    folder = Path(sys.argv[1])
    subject = durable.read(folder / SUBJECT, Subject)
    if subject is None:
        raise DamagedFile(f"{folder / SUBJECT} is missing")
    host = hosts(os.environ["SLURM_JOB_NODELIST"], subject.timeout_s)[0]
    findings = tuple(examine_node(subject, folder, host))
    durable.replace(folder / FINDINGS, durable.encode(findings))
    return 0


def _check_requeue() -> Iterator[Finding]:
    """Look for the command by which a job at its time limit puts itself back into the queue."""
    if shutil.which("scontrol"):
        yield ok("requeue", "scontrol is here")
        return
    yield warning(
        "requeue",
        "there is no scontrol, so a job at its time limit cannot requeue itself",
        "leave `watch` open, or launch again now and then",
    )


if __name__ == "__main__":
    sys.exit(main())
