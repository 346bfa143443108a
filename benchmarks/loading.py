"""Batches of photographs, loaded by isogrid and by open_clip's `get_wds_dataset`, in turns."""

import json
import statistics
import subprocess
import sys
from functools import partial
from typing import Any

from benchmarks.environments import environment
from benchmarks.openclip import PACKAGES, REMEDY
from sweeps.folders import CHECKOUT

PEER = CHECKOUT / "benchmarks" / "peer_apps" / "openclip_pipeline.py"


def loading(pattern: str, *, samples: int, workers: int, side: int, repeat: int) -> dict[str, Any]:
    """Return the rates of both, each in a process of its own: medians.

    Args:
        pattern: of the shards.
        samples: to be loaded, a multiple of 64 × `workers`.
        workers: loading processes.
        side: of the square images that a model takes, in pixels.
        repeat: so many runs of each.
    """
    ours = partial(result_of, [sys.executable, "-m", "benchmarks.own_pipeline"])
    theirs = partial(result_of, [str(environment("open_clip_train", PACKAGES)), str(PEER), str(REMEDY)])
    words = [pattern, str(samples), str(workers), str(side)]
    runs = [(theirs(words), ours(words)) for _ in range(repeat)]
    return {
        name: {
            key: round(statistics.median(_rates(pair[number])[key] for pair in runs), 1)
            for key in ("per_s", "per_worker_s", "per_cpu_s")
        }
        for number, name in enumerate(("open_clip", "isogrid"))
    }


def result_of(command: list[str], words: list[str]) -> dict[str, Any]:
    """Return the JSON object that a command prints last.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run([*command, *words], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _rates(run: dict[str, float]) -> dict[str, float]:
    """Return images per second of wall time, of the workers' and of all processor time."""
    return {
        "per_s": run["samples"] / run["wall_s"],
        "per_worker_s": run["samples"] / run["worker_s"],
        "per_cpu_s": run["samples"] / (run["worker_s"] + run["main_s"]),
    }
