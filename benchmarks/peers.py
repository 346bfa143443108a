"""The same short jobs through isogrid and its peers, on one real Slurm cluster.

Each job looks whether one file is there, and ends. Ours are supervisors of runs whose marker lies there
already: what a job costs before it trains anything. The peers are plain submitit (`submit` for each,
and `map_array`), and Hydra's submitit launcher, in a virtual environment that is made under a cache
folder. Prints one JSON object: for each, the wall time until all jobs have ended, and how often it
called Slurm's client commands.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.environments import environment
from benchmarks.grids import claim_data, expansion_of, leave_markers, write_grid
from benchmarks.timing import Shims
from sweeps.folders import CHECKOUT, Root
from tests.slurm.cluster import running_cluster

PLUGIN = ("hydra-submitit-launcher==1.2.0", f"submitit=={version('submitit')}")
PATIENCE_S = 900.0
POLL_S = 0.5


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200, help="a multiple of 100")
    jobs = parser.parse_args().jobs
    python = environment("peers", PLUGIN)
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name, running_cluster() as cluster:
        bench = Peers(Path(name), cluster.env, jobs, python)
        found = {
            "isogrid": bench.isogrid(),
            "submitit submit": bench.submitit("submit"),
            "submitit map_array": bench.submitit("map_array"),
            "hydra-submitit-launcher": bench.plugin(),
        }
    load = [load_before, os.getloadavg()[0]]
    print(json.dumps({"jobs": jobs, "plugin": PLUGIN, "load": load, "peers": found}))


class Peers:
    """Runs the same jobs in several ways."""

    def __init__(self, folder: Path, env: dict[str, str], jobs: int, python: Path) -> None:
        self._folder, self._env, self._jobs, self._python = folder, env, jobs, python
        self._shims = Shims(folder, env)
        self._marker = folder / "marker"
        self._marker.touch()

    def isogrid(self) -> dict[str, Any]:
        """Launch; the markers are written while the partition holds the jobs back."""
        words = write_grid(self._folder / "conf", self._jobs)
        root = Root(self._folder / "root")
        launch = [sys.executable, "-m", "launcher", *words, f"root={root.path}", "cluster=slurm"]
        expansion = expansion_of(words)
        claim_data(root, expansion)
        self._set_partition("DOWN")

        def run() -> None:
            self._run(launch, CHECKOUT)
            leave_markers(root, expansion)
            self._set_partition("UP")

        return self._until_ended(run)

    def submitit(self, how: str) -> dict[str, Any]:
        """Submit with submitit's own defaults."""
        return self._until_ended(lambda: self._run_peer("submitit_jobs", how, str(self._jobs)))

    def plugin(self) -> dict[str, Any]:
        """Run a multirun of a Hydra app, which waits for its jobs."""
        numbers = f"number=range({self._jobs})"
        return self._until_ended(
            lambda: self._run_peer("hydra_jobs", "-m", "hydra/launcher=submitit_slurm", numbers)
        )

    def _run_peer(self, module: str, *words: str) -> None:
        script = Path(__file__).parent / "peer_apps" / f"{module}.py"
        self._run([str(self._python), str(script), *words], self._folder)

    def _until_ended(self, act: Callable[[], None]) -> dict[str, Any]:
        self._shims.forget()
        began = time.perf_counter()
        act()
        submitted = time.perf_counter() - began
        while self._queued() and time.perf_counter() - began < PATIENCE_S:
            time.sleep(POLL_S)
        return {
            "returned_s": round(submitted, 1),
            "ended_s": round(time.perf_counter() - began, 1),
            "calls": self._shims.calls(),
        }

    def _queued(self) -> bool:
        shown = ["squeue", "--noheader"]
        return bool(subprocess.run(shown, env=self._env, capture_output=True, check=True).stdout)

    def _set_partition(self, state: str) -> None:
        words = ["scontrol", "update", "PartitionName=main", f"State={state}"]
        subprocess.run(words, env=self._env, check=True)

    def _run(self, words: Sequence[str], folder: Path) -> None:
        env: Mapping[str, str] = {**self._shims.env, "MARKER": str(self._marker)}
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")


if __name__ == "__main__":
    os.environ.pop("ISOGRID_ROOT", None)
    main()
