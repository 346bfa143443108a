"""Data sets that can be generated, and are not there yet."""

import logging
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from conf.schema import EvalDatasetConfig
from sweeps import durable
from sweeps.errors import DataError
from sweeps.folders import CHECKOUT, Root
from sweeps.runs.expansion import Expansion, Run
from training.data.generate import Generation, made_with
from training.data.patterns import expand_shards

log = logging.getLogger(__name__)


def generate_missing(root: Root, expansion: Expansion) -> None:
    """Write the data sets that are not there and have a generator, all at once.

    Raises:
        DataError: a generator failed.
    """
    orders = {
        folder: generator
        for folder, generator in generated_data(root, expansion.runs).items()
        if made_with(folder) is None
    }
    for folder in orders:
        log.info("writing %s", folder)
    processes = [(folder, _generate(folder, generator)) for folder, generator in orders.items()]
    for folder, process in processes:
        message = process.communicate()[1]
        if process.returncode:
            said = message.decode(errors="replace").strip().splitlines() or ["no message"]
            raise DataError(f"{folder} could not be generated: {said[-1]}")


def eval_datasets(runs: Iterable[Run]) -> dict[str, EvalDatasetConfig]:
    """Return all test sets that the suites of some runs use, by name."""
    return {
        spec.dataset: run.config.eval.datasets[spec.dataset]
        for run in runs
        for spec in run.config.eval.evals
    }


def generated_data(root: Root, runs: Sequence[Run]) -> dict[Path, dict[str, Any]]:
    """Return folder and generator of each data set that is made on the spot."""
    generators = {run.config.data.shards: run.config.data.generator for run in runs}
    shards = {
        Path(expand_shards(root.absolute(pattern))[0]).parent: generator
        for pattern, generator in generators.items()
    }
    tests = {
        Path(root.absolute(dataset.path)): dataset.generator for dataset in eval_datasets(runs).values()
    }
    return {folder: made for folder, made in {**shards, **tests}.items() if made is not None}


def _generate(folder: Path, generator: dict[str, Any]) -> "subprocess.Popen[bytes]":
    """Start writing a data set in a process of its own: it needs torch, which we do not."""
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "generate"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(durable.encode(Generation(folder=folder, generator=generator)))
    process.stdin.close()
    process.stdin = None
    return process
