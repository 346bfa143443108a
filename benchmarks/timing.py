"""Runs whole commands, from cold, and says what they took."""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.folders import CHECKOUT

CLIENTS = ("sbatch", "squeue", "sacct", "scontrol", "scancel", "sinfo", "sacctmgr", "srun")


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """What a command took, its children included. `calls`: of Slurm's client commands."""

    wall_s: float
    cpu_s: float
    memory_mib: int
    calls: dict[str, int]


class Shims:
    """Slurm's client commands with a log of their calls; `env` has them first on the path.

    Python may keep what it compiles in it, as it does by default.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._log = folder / "calls"
        shims = folder / "bin"
        shims.mkdir()
        for client in CLIENTS:
            shim = shims / client
            shim.write_text(f'#!/bin/sh\necho {client} >>"{self._log}"\nexec /usr/bin/{client} "$@"\n')
            shim.chmod(0o755)
        self.env = {**env, "PATH": f"{shims}:{env['PATH']}"}
        self.env.pop("PYTHONDONTWRITEBYTECODE", None)

    def forget(self) -> None:
        """Begin a new count."""
        self._log.write_text("")

    def calls(self) -> dict[str, int]:
        """Return how often each client was called since `forget`."""
        return dict(Counter(self._log.read_text().split()))


def timed(words: Sequence[str], shims: Shims) -> Timing:
    """Run `python -m launcher WORDS` and return what it took.

    Raises:
        RuntimeError: it failed.
    """
    shims.forget()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    report = _run([], words, shims.env)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Timing(
        wall_s=round(wall, 2),
        cpu_s=round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        memory_mib=report["memory_kib"] // 1024,
        calls=shims.calls(),
    )


def median(timings: Sequence[Timing]) -> Timing:
    """Return the median of each figure; the calls are those of the last."""
    return Timing(
        wall_s=round(statistics.median(t.wall_s for t in timings), 2),
        cpu_s=round(statistics.median(t.cpu_s for t in timings), 2),
        memory_mib=int(statistics.median(t.memory_mib for t in timings)),
        calls=timings[-1].calls,
    )


def opened(words: Sequence[str], shims: Shims) -> list[Path]:
    """Return the files that `python -m launcher WORDS` opens itself."""
    return [Path(name) for name in _run(["--opens"], words, shims.env)["opened"]]


def _run(options: Sequence[str], words: Sequence[str], env: Mapping[str, str]) -> dict[str, Any]:
    report = Path(env["PATH"].partition(":")[0]) / "report.json"
    watched = [sys.executable, "-m", "benchmarks.watched", str(report), *options]
    done = subprocess.run(
        [*watched, "-m", "launcher", *words],
        cwd=CHECKOUT, env=dict(env), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found
