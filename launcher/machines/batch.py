"""What every batch script on a cluster says: who pays, where it runs, what its environment is."""

import shlex
from pathlib import Path
from typing import Any

from conf.schema import ClusterConfig


def named_options(cluster: ClusterConfig, num_gpus: int) -> dict[str, Any]:
    """Return the options that a cluster leaves to Slurm's defaults where it does not set them.

    `num_gpus`: of each node.
    """
    options = {
        "account": cluster.account,
        "partition": cluster.partition,
        "qos": cluster.qos,
        "gpus_per_node": num_gpus or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def environment_lines(cluster: ClusterConfig) -> list[str]:
    """Return the shell lines that load modules and export variables; everything is quoted.

    A module that does not load ends the job: what runs without it fails later, or slowly.
    """
    return [
        *(f"module load {shlex.quote(module)} || exit" for module in cluster.modules),
        *(f"export {name}={shlex.quote(value)}" for name, value in sorted(cluster.env.items())),
    ]


def code_lines(code: Path) -> list[str]:
    """Return the shell lines after which Python finds the code in a folder.

    It looks into the current folder first, unless PYTHONSAFEPATH is set.
    """
    return ["unset PYTHONSAFEPATH", f"cd {shlex.quote(str(code))} || exit"]
