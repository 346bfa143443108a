"""isogrid's training beside open_clip's own: whole runs of the same task, alternating.

A rate is that between the first step and the last, waiting for data included: start-up is measured
apart, as the seconds from a process's start to its first step where it continues a stopped run.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks import openclip
from benchmarks.openclip import Task
from sweeps.folders import CHECKOUT, Root
from training.telemetry.metrics import Moment, metrics_path, read_moments

POLL_S = 0.01
ATTEMPTS = (1, 2)


def rates(task: Task, folder: Path, repeat: int, *options: str) -> dict[str, Any]:
    """Return samples per second of both trainers, and their ratio.

    Args:
        task: what is trained.
        folder: an empty one, for logs and checkpoints.
        repeat: so many runs of each, in turn.
        options: overrides that only ours is given.
    """
    ours, theirs = [], []
    for number in range(repeat):
        theirs.append(_their_rate(task, folder / f"open_clip-{number}"))
        ours.append(_our_rate(task, folder / f"isogrid-{number}", *options))
    return _compared("samples_per_s", ours, theirs, lambda own, other: own / other)


def starts(task: Task, folder: Path, repeat: int) -> dict[str, Any]:
    """Return the seconds from process start to the first step after a resume, and their ratio."""
    ours, theirs = [], []
    for number in range(repeat):
        theirs.append(_their_start(task, folder / f"open_clip-{number}"))
        ours.append(_our_start(task, folder / f"isogrid-{number}"))
    return _compared("start_s", ours, theirs, lambda own, other: own / other)


def _compared(
    unit: str, ours: list[float], theirs: list[float], ratio: Callable[[float, float], float]
) -> dict[str, Any]:
    own, other = statistics.median(ours), statistics.median(theirs)
    return {
        "unit": unit,
        "isogrid": [round(value, 2) for value in ours],
        "open_clip": [round(value, 2) for value in theirs],
        "ratio": round(ratio(own, other), 3),
    }


def _their_rate(task: Task, folder: Path) -> float:
    _, *steps = openclip.train(task, folder)
    return task.batch_size * len(steps) / sum(steps)


def _our_rate(task: Task, folder: Path, *options: str) -> float:
    subprocess.run(command(task, folder, *options), cwd=CHECKOUT, check=True, stdout=subprocess.DEVNULL)
    moments = _moments(folder)
    first, last = moments[0], moments[-1]
    return (last.samples_seen - first.samples_seen) / (last.time - first.time)


def _their_start(task: Task, folder: Path) -> float:
    """Train an epoch, and begin another from its checkpoint."""
    openclip.train(task, folder)
    return openclip.seconds_to_first_step(task, folder)


def _our_start(task: Task, folder: Path) -> float:
    """Stop after some steps, and start again."""
    words = command(task, folder)
    with subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.DEVNULL) as first:
        _wait_for(lambda: _moments(folder))
        first.send_signal(signal.SIGINT)
    before = len(_moments(folder))
    began = time.time()
    with subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.DEVNULL) as second:
        _wait_for(lambda: _moments(folder)[before:])
        second.send_signal(signal.SIGINT)
    return _moments(folder)[before].time - began


def command(task: Task, folder: Path, *options: str) -> list[str]:
    """Return the command with which isogrid does a task below `folder`."""
    conf = folder / "conf"
    _write(conf / "model" / "task.yaml", {"name": task.model, "config": task.config})
    _write(conf / "data" / "task.yaml", {"name": "task", "shards": task.shards})
    return [
        *(sys.executable, "-m", "training"),
        f"hydra.searchpath=[file://{conf}]",
        *("model=task", "data=task", "schedule.warmup=5 steps"),
        f"samples_seen={task.num_samples}",
        f"global_batch_size={task.batch_size}",
        f"resources.threads_per_rank={task.threads}",
        f"resources.num_workers={task.workers}",
        f"precision={task.precision}",
        f"root={folder}",
        *options,
    ]


def last_moment(folder: Path) -> Moment:
    """Return the last line of metrics of the run in a root."""
    return _moments(folder)[-1]


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def _moments(folder: Path) -> list[Moment]:
    """Return all lines of metrics of the run in a root, those of its newest attempt last."""
    found: list[Moment] = []
    segments = Root(folder).segments
    for segment in segments.iterdir() if segments.exists() else ():
        for attempt in ATTEMPTS:
            path = metrics_path(segment, attempt)
            found += read_moments(path) if path.exists() else []
    return found


def _wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(POLL_S)


os.environ.pop("ISOGRID_ROOT", None)
