"""A launcher that itself runs inside a job leaks nothing of that job into those it submits."""

from pathlib import Path

import psutil
import pytest

from tests.commands import CHECKOUT, TINY, environment, wait_for
from tests.launcher.processes import SUPERVISOR, processes
from tests.slurm.cluster import SlurmCluster

NARROW = ("resources.num_ranks=1", "resources.ranks_per_node=1", "samples_seen=3840")
LAUNCH = ("python", "-m", "launcher", *TINY, "cluster=slurm", "policy.client_timeout_s=30", *NARROW)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def variables(process: psutil.Process) -> dict[str, str]:
    """Return what a supervisor has from Slurm."""
    return {k: v for k, v in process.environ().items() if k.startswith(("SLURM", "SRUN", "SBATCH"))}


def test_a_launch_from_inside_a_job_leaks_nothing_of_it(cluster: SlurmCluster, root: Path) -> None:
    script = root.parent / "outer.sh"
    python = CHECKOUT / ".venv" / "bin"
    words = " ".join(f"'{word}'" for word in LAUNCH)
    script.write_text(f"#!/bin/sh\nexport SBATCH_COMMENT=leaked\nPATH={python}:$PATH {words}\n")
    asked = ("--ntasks=3", "--cpus-per-task=2", "--gpus-per-node=1", f"--chdir={CHECKOUT}")
    exported = environment(root)["ISOGRID_ROOT"]
    outer = cluster.client(
        "sbatch", "--parsable", *asked, f"--export=ALL,ISOGRID_ROOT={exported}",
        f"--output={root.parent}/outer.log", str(script),
    ).strip()  # fmt: skip
    (supervisor,) = wait_for(lambda: processes(root, SUPERVISOR), "its job to start")
    found = variables(supervisor)
    ids = [value for name, value in found.items() if name.endswith(("JOB_ID", "JOBID"))]
    assert found["SLURM_JOB_ID"] in ids
    assert outer not in ids
    assert (found["SLURM_NTASKS"], found["SLURM_CPUS_PER_TASK"]) == ("1", "1")
    assert found["SRUN_CPUS_PER_TASK"] == "1"
    assert not {"SLURM_GPUS_PER_NODE", "SLURM_GPUS_ON_NODE", "SBATCH_COMMENT"} & set(found)
