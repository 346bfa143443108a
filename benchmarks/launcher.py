"""How the launcher scales, on a real Slurm cluster on this machine: `python -m benchmarks.launcher`.

Prints one JSON object. For grids of several sizes: `plan` from cold, a launch that submits every run
(the jobs begin in an hour, so none runs), the same launch typed again (a pass with all of them in the
queue), and `status`; each as a whole command, with the Slurm client commands that it called. Beside it,
Hydra's own composition of some of the same points.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sweeps.compose import Composer, compose_whole
from sweeps.folders import CHECKOUT
from tests.slurm.cluster import running_cluster

CLIENTS = ("sbatch", "squeue", "scontrol", "sacct", "sinfo", "scancel")
SAMPLE = 30
LATER = "+cluster.sbatch.begin=now+1hour"


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=[500, 5000, 20_000])
    sizes = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name, running_cluster() as cluster:
        bench = Bench(Path(name), cluster.env)
        print(json.dumps({"hydra": bench.hydra(), "grids": [bench.grid(size) for size in sizes]}))


class Bench:
    """Runs commands with a log of the Slurm clients that they call."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder, self._log = folder, folder / "calls"
        shims = folder / "bin"
        shims.mkdir()
        for client in CLIENTS:
            shim = shims / client
            shim.write_text(f'#!/bin/sh\necho {client} >>"{self._log}"\nexec /usr/bin/{client} "$@"\n')
            shim.chmod(0o755)
        self._env = {**env, "PATH": f"{shims}:{env['PATH']}"}

    def grid(self, num_runs: int) -> dict[str, Any]:
        """Measure one grid."""
        root = self._folder / f"root-{num_runs}"
        words = [*self._sweep(num_runs), f"root={root}"]
        self._share_data(root)
        slurm = ["cluster=slurm", LATER]
        return {
            "runs": num_runs,
            "plan": self._measure("plan", *words),
            "launch": self._measure("launch", *words, *slurm),
            "pass": self._measure("launch", *words, *slurm),
            "status": self._measure("status", *words),
        }

    def _share_data(self, root: Path) -> None:
        """Let the data be generated once, outside of what is timed."""
        shared = self._folder / "first" / "data"
        if not shared.exists():
            one = ["sweep=quickstart", "model=ViT-w32", f"root={shared.parent}", "cluster=slurm", LATER]
            self._measure("launch", *one)
        root.mkdir()
        (root / "data").symlink_to(shared)

    def hydra(self) -> dict[str, float]:
        """Time Hydra's composition of some points of a grid, and ours of the whole of it."""
        words = self._sweep(500)
        began = time.perf_counter()
        whole = compose_whole(words)
        ours = time.perf_counter() - began
        return {"ours_s_per_point": ours / len(whole.cells), "hydra_s_per_point": _by_hydra(words)}

    def _sweep(self, num_runs: int) -> list[str]:
        name = f"grid{num_runs}"
        path = self._folder / "conf" / "sweep" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"name: {name}\nset: {{eval: quickstart, data: shapes-clean}}\nblocks:\n- axes:\n"
            f"    model: [ViT-w32, ViT-w64, ViT-w96, ViT-B-32, ViT-B-16]\n"
            f"    samples_seen: [10240, 20480, 40960, 81920]\n"
            f"    optim.lr: [1e-4, 2e-4, 5e-4, 1e-3, 2e-3]\n"
            f"    seed: {list(range(num_runs // 100))}\n"
        )
        return [f"hydra.searchpath=[file://{path.parent.parent}]", f"sweep={name}"]

    def _measure(self, *words: str) -> dict[str, Any]:
        self._log.write_text("")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", "-m", "launcher", *words],
            cwd=CHECKOUT, env=self._env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        return {
            "wall_s": round(wall, 2),
            "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
            "memory_mb": int(done.stderr.rsplit("\n", 2)[-2]) // 1024,
            "calls": dict(Counter(self._log.read_text().split())),
        }


def _by_hydra(words: list[str]) -> float:
    import hydra

    from sweeps import compose
    from sweeps.folders import CONF
    from sweeps.grid import cells_of

    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = compose._parse(words)
        sweep = compose._load_sweep(overrides)
        composer = Composer(sweep, [o for o in overrides if o.key_or_group != "sweep"])
        cells = cells_of(sweep)[:SAMPLE]
        began = time.perf_counter()
        for cell in cells:
            composer.full(cell)
        return (time.perf_counter() - began) / len(cells)


if __name__ == "__main__":
    os.environ.pop("ISOGRID_ROOT", None)
    main()
