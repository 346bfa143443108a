"""Put something of ours between the launcher and Slurm: what happens to it at that very moment."""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

KILL_LAUNCHER = "kill -KILL $(ps -o ppid= -p $PPID)"
"""The shim's parent is `timeout`, whose parent is the launcher."""


def shimmed(
    folder: Path, script: str, env: Mapping[str, str], client: str = "sbatch"
) -> dict[str, str]:
    """Return an environment in which the first call of a Slurm client runs a shell script instead.

    Args:
        folder: where the script lies.
        script: its lines; the client's name is the real one, `"$@"` its arguments.
        env: of a Slurm client.
        client: which one.
    """
    real = shutil.which(client, path=env["PATH"])
    assert real is not None
    shim, used = folder / "bin" / client, folder / "bin/used"
    shim.parent.mkdir(parents=True)
    shim.write_text(
        f"#!/bin/sh\n"
        f"mkdir {shlex.quote(str(used))} 2>/dev/null || exec {real} \"$@\"\n"
        f"{client}() {{ {real} \"$@\"; }}\n"
        f"{script}\n"
    )  # fmt: skip
    shim.chmod(0o755)
    return {**env, "PATH": os.pathsep.join([str(shim.parent), env["PATH"]])}
