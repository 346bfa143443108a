"""How the launcher scales, on a real Slurm cluster on this machine: `python -m benchmarks.launcher`.

Prints one JSON object. Every figure is of a whole command from cold, the median of `--repeat`. For
grids of several sizes: `plan`; a `pass` over a root in which 500 runs are in the queue (their jobs
begin in an hour) and all others are finished, which is the launch typed again; `status` of the same.
Then a launch that submits 1,000 runs; and Hydra's own composition of some points of a grid beside
ours. `bars` says which limits are met.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence, Set
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.bars import Bar
from benchmarks.grids import claim_data, expansion_of, finish, write_grid
from benchmarks.timing import Shims, Timing, median, opened, timed
from sweeps.composing import hydra_api
from sweeps.composing.compose import compose_request, load_sweep
from sweeps.composing.grid import cells_of
from sweeps.composing.points import Composer
from sweeps.folders import Root
from sweeps.runs.expansion import Expansion
from tests.slurm.cluster import running_cluster

SMALL, MIDDLE, LARGE = 500, 5000, 20_000
NUM_LIVE = 500
NUM_SUBMITTED = 1000
MAX_ARRAY_SIZE = 1000
NUM_SCORINGS = 1
"""A submission that trains is followed by one that scores, another shape."""

SAMPLE = 30
SLURM = ("cluster=slurm", "+cluster.sbatch.begin=now+1hour")


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--runs", type=int, nargs="+", default=[SMALL, MIDDLE, LARGE])
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name, running_cluster() as cluster:
        bench = Bench(Path(name), cluster.env, given.repeat)
        grids = {size: bench.grid(size) for size in given.runs}
        submission, composing = bench.submission(), bench.composing()
    print(
        json.dumps(
            {
                "machine": {"cores": os.cpu_count(), "load": [load_before, os.getloadavg()[0]]},
                "versions": {n: version(n) for n in ("hydra-core", "submitit", "msgspec")},
                "repeat": given.repeat,
                "grids": list(grids.values()),
                "submission": submission,
                "composing": composing,
                "bars": [bar.shown() for bar in bars(grids, submission)],
            }
        )
    )


class Bench:
    """Measures under one folder, on one cluster."""

    def __init__(self, folder: Path, env: dict[str, str], repeat: int) -> None:
        self._folder, self._repeat = folder, repeat
        self._shims = Shims(folder, env)

    def grid(self, num_runs: int) -> dict[str, Any]:
        """Measure one grid."""
        words = write_grid(self._folder / "conf", num_runs)
        expansion = expansion_of(words)
        root = self._root(f"root-{num_runs}", expansion)
        launch = [*words, f"root={root.path}", *SLURM]
        plan = self._median(["plan", *words, f"root={self._folder / 'none'}"])
        finish(root, expansion, expansion.runs[: num_runs - NUM_LIVE])
        finished = {root.segment(run.run_id) for run in expansion.runs[: num_runs - NUM_LIVE]}
        first, status = timed(launch, self._shims), ["status", *words, f"root={root.path}"]
        found = {
            "runs": num_runs,
            "plan": asdict(plan),
            "launch_of_the_rest": asdict(first),
            "pass": {**asdict(self._median(launch)), **self._opened(launch, root, finished)},
            "status": {**asdict(self._median(status)), **self._opened(status, root, finished)},
        }
        self._cancel_all()
        return found

    def _opened(self, words: Sequence[str], root: Root, finished: Set[Path]) -> dict[str, int]:
        paths = opened(words, self._shims)
        return {
            "opened_under_root": sum(root.path in path.parents for path in paths),
            "opened_of_finished": sum(path.parent in finished for path in paths),
        }

    def submission(self) -> dict[str, Any]:
        """Measure a launch that hands over 1,000 runs of one shape."""
        words = write_grid(self._folder / "conf", NUM_SUBMITTED)
        timings = []
        for number in range(self._repeat):
            root = self._root(f"submission-{number}", expansion_of(words))
            timings.append(timed([*words, f"root={root.path}", *SLURM], self._shims))
            self._cancel_all()
        return {"runs": NUM_SUBMITTED, **asdict(median(timings))}

    def composing(self) -> dict[str, float]:
        """Time Hydra's composition of some points of a grid, and ours of the whole of it."""
        words = write_grid(self._folder / "conf", SMALL)
        began = time.perf_counter()
        num_cells = len(compose_request(words).cells)
        ours = (time.perf_counter() - began) / num_cells
        return {"ours_s_per_point": ours, "hydra_s_per_point": _by_hydra(words)}

    def _median(self, words: Sequence[str]) -> Timing:
        return median([timed(words, self._shims) for _ in range(self._repeat)])

    def _root(self, name: str, expansion: Expansion) -> Root:
        root = Root(self._folder / name)
        claim_data(root, expansion)
        return root

    def _cancel_all(self) -> None:
        subprocess.run(["scancel", "--me"], env=self._shims.env, check=True)


def bars(grids: dict[int, dict[str, Any]], submission: dict[str, Any]) -> list[Bar]:
    """Return the limits that are promised."""
    middle = grids.get(MIDDLE) or grids[min(grids)]
    calls = middle["pass"]["calls"]
    found = [
        Bar(name="plan of 5,000 runs, s", value=middle["plan"]["wall_s"], limit=5),
        Bar(name="plan of 5,000 runs, MiB", value=middle["plan"]["memory_mib"], limit=300),
        Bar(name="pass over 5,000 runs, s", value=middle["pass"]["wall_s"], limit=2),
        Bar(name="pass: squeue calls", value=calls.get("squeue", 0), limit=1),
        Bar(name="pass: sacct calls", value=calls.get("sacct", 0), limit=1),
        Bar(name="pass: files of finished runs", value=middle["pass"]["opened_of_finished"], limit=0),
        Bar(name="status of 5,000 runs, s", value=middle["status"]["wall_s"], limit=1),
        Bar(
            name="status: files of finished runs", value=middle["status"]["opened_of_finished"], limit=0
        ),
        Bar(name="submission of 1,000 runs, s", value=submission["wall_s"], limit=5),
        Bar(
            name="submission: sbatch calls",
            value=submission["calls"].get("sbatch", 0),
            limit=-(-NUM_SUBMITTED // MAX_ARRAY_SIZE) + NUM_SCORINGS,
        ),
    ]
    return found + [_growth(grids, command) for command in ("plan", "pass", "status")]


def _growth(grids: dict[int, dict[str, Any]], command: str) -> Bar:
    """Return how the cost of a run grows from the smallest to the largest grid."""
    cost = {size: grid[command]["cpu_s"] / size for size, grid in grids.items()}
    value = round(cost[max(cost)] / cost[min(cost)], 3)
    return Bar(
        name=f"{command}: cost of a run, {max(cost):,} against {min(cost):,}", value=value, limit=1
    )


def _by_hydra(words: Sequence[str]) -> float:
    """Return the seconds that Hydra itself takes to compose a point of a grid."""
    with hydra_api.session():
        overrides = hydra_api.parse(words)
        sweep = load_sweep(overrides)
        composer = Composer(sweep, [o for o in overrides if o.key != "sweep"])
        cells = cells_of(sweep)[:SAMPLE]
        began = time.perf_counter()
        for cell in cells:
            composer.full(cell)
        return (time.perf_counter() - began) / len(cells)


if __name__ == "__main__":
    os.environ.pop("ISOGRID_ROOT", None)
    main()
