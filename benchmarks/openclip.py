"""open_clip's own trainer, run as its users run it, and what its log says of its speed."""

import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import environment
from sweeps.folders import CHECKOUT

PACKAGES = ("open_clip_torch[training]==3.3.0", "torch==2.13.0", "torchvision==0.28.0")
POLL_S = 0.01
STEP = re.compile(r"Train Epoch.* Batch \(t\): ([0-9.]+),")
PRECISIONS = {"fp32": "fp32", "bf16": "amp_bf16"}
"""Ours → theirs."""

APP = CHECKOUT / "benchmarks" / "peer_apps" / "openclip_train.py"
REMEDY = CHECKOUT / "training" / "torchvision_remedy.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What both trainers do, in one process.

    `model`: a name that open_clip knows, or one of `config`, which is open_clip's JSON form. `device`:
    cpu or cuda. `precision`: fp32 or bf16. `workers`: processes that load data.
    """

    model: str
    shards: str
    num_samples: int
    batch_size: int = 64
    threads: int = 2
    device: str = "cpu"
    precision: str = "fp32"
    workers: int = 1
    config: Mapping[str, Any] | None = None


def train(task: Task, folder: Path) -> list[float]:
    """Train with open_clip; return the seconds of each step, those that wait for data included.

    Raises:
        RuntimeError: it failed.
    """
    with _started(task, folder) as process:
        _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"open_clip_train: {errors.decode()[-2000:]}")
    return [float(seconds) for seconds in STEP.findall(_log(folder))]


def seconds_to_first_step(task: Task, folder: Path) -> float:
    """Return the seconds until another epoch, resumed from the checkpoint in `folder`, took a step."""
    known = len(STEP.findall(_log(folder)))
    began = time.perf_counter()
    with _started(task, folder, "--resume", "latest", "--epochs", "2") as process:
        while len(STEP.findall(_log(folder))) == known and process.poll() is None:
            time.sleep(POLL_S)
        seconds = time.perf_counter() - began
        process.kill()
    return seconds


@contextmanager
def _started(task: Task, folder: Path, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    env = {"OMP_NUM_THREADS": str(task.threads), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"}
    with tempfile.TemporaryDirectory() as models:
        if task.config is not None:
            (Path(models) / f"{task.model}.json").write_text(json.dumps(task.config))
        python = environment("open_clip_train", PACKAGES)
        words = [str(python), str(APP), str(REMEDY), models, *_arguments(task, folder), *options]
        with subprocess.Popen(
            words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            yield process


def _log(folder: Path) -> str:
    return (folder / "run" / "out.log").read_text()


def _arguments(task: Task, folder: Path) -> Sequence[str]:
    values = {
        "device": task.device,
        "precision": PRECISIONS[task.precision],
        "model": task.model,
        "train-data": task.shards,
        "train-num-samples": str(task.num_samples),
        "dataset-type": "webdataset",
        "batch-size": str(task.batch_size),
        "workers": str(task.workers),
        "epochs": "1",
        "warmup": "5",
        "log-every-n-steps": "1",
        "logs": str(folder),
        "name": "run",
    }
    return [
        "--dataset-resampled",
        *(word for name, value in values.items() for word in (f"--{name}", value)),
    ]
