"""What every batch script on a cluster says: who pays, where it runs, what its environment is."""

import shlex
from pathlib import Path
from typing import Any

from conf.schema import ClusterConfig


def named_options(cluster: ClusterConfig) -> dict[str, Any]:
    """Return the options that a cluster leaves to Slurm's defaults where it does not set them."""
    options = {
        "account": cluster.account,
        "partition": cluster.partition,
        "qos": cluster.qos,
        "gpus_per_node": cluster.gpus_per_node or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def cores_per_task(cluster: ClusterConfig, tasks: int, needed: int) -> int:
    """Return all cores of a node divided among its tasks where they are known, else what is needed."""
    if cluster.cores_per_node is None:
        return needed
    return max(needed, cluster.cores_per_node // tasks)


def environment_lines(cluster: ClusterConfig) -> list[str]:
    """Return the shell lines that load modules and export variables; everything is quoted."""
    return [
        *(f"module load {shlex.quote(module)}" for module in cluster.modules),
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(cluster.env.items())),
    ]


def code_lines(code: Path) -> list[str]:
    """Return the shell lines after which Python finds the code in a folder.

    It looks into the current folder first, unless PYTHONSAFEPATH is set.
    """
    return ["unset PYTHONSAFEPATH", f"cd {shlex.quote(str(code))} || exit"]
