"""Before anything is written: is what was asked for possible? Then: data sets that can be generated."""

import logging
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from conf.schema import ClusterConfig, EvalDatasetConfig
from evaluation.layout import is_test_set
from launcher.submission import refuse_unsafe
from sweeps import durable
from sweeps.errors import DataError, UsageError
from sweeps.expansion import Expansion, Run
from sweeps.folders import CHECKOUT, Root, refuse_unusable
from training.generate import Generation, made_with
from training.patterns import existing_shards, expand_shards

log = logging.getLogger(__name__)

ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
UNSET = "???"


def refuse_impossible(root: Root, expansion: Expansion, cluster: ClusterConfig) -> None:
    """Check a launch without writing anything.

    Raises:
        UsageError: the root, a name or a data set is not usable; the message says which.
    """
    refuse_unsafe(expansion.sweep, "the sweep's name")
    for name in cluster.env:
        if not ENVIRONMENT_NAME.fullmatch(name):
            raise UsageError(f"cluster.env: {name!r} is no name of an environment variable")
    refuse_unusable(root)
    for run in _first_of_each_data(expansion.runs):
        _refuse_missing_shards(root, run)
    for name, dataset in eval_datasets(expansion.runs).items():
        folder = Path(root.absolute(dataset.path))
        if dataset.generator is None and not is_test_set(folder):
            raise UsageError(
                f"test set {name!r}: there is no {folder}/test/nshards.txt; set "
                f"eval.datasets.{name}.path= to a data set in CLIP_benchmark's WebDataset layout"
            )

    for folder, generator in _generated(root, expansion.runs).items():
        if (made_by := made_with(folder)) not in (None, generator):
            raise UsageError(
                f"{folder} was made with {made_by}, but {generator} is asked for; remove it, or let "
                f"the new data lie elsewhere"
            )


def generate_missing(root: Root, expansion: Expansion) -> None:
    """Write the data sets that are not there and have a generator, all at once.

    Raises:
        DataError: a generator failed.
    """
    orders = {
        folder: generator
        for folder, generator in _generated(root, expansion.runs).items()
        if made_with(folder) is None
    }
    for folder in orders:
        log.info("writing %s", folder)
    processes = [(folder, _generate(folder, generator)) for folder, generator in orders.items()]
    for folder, process in processes:
        message = process.communicate()[1]
        if process.returncode:
            raise DataError(f"{folder} could not be generated: {message.decode().strip()}")


def eval_datasets(runs: Iterable[Run]) -> dict[str, EvalDatasetConfig]:
    """Return all test sets that the suites of some runs use, by name."""
    return {
        spec.dataset: run.config.eval.datasets[spec.dataset]
        for run in runs
        for spec in run.config.eval.evals
    }


def _first_of_each_data(runs: Iterable[Run]) -> list[Run]:
    return list({run.config.data.shards: run for run in reversed(list(runs))}.values())


def _refuse_missing_shards(root: Root, run: Run) -> None:
    data = run.config.data
    if data.shards == UNSET:
        raise UsageError(
            f"data.shards of {data.name} is not set: write it into conf/data/{run.data}.yaml, or pass "
            f"data={run.data} data.shards='/path/{{00000..00099}}.tar'"
        )
    if data.generator is None:
        try:
            existing_shards(root.absolute(data.shards))
        except DataError as error:
            raise UsageError(f"{data.name}: {error}") from error


def _generated(root: Root, runs: Sequence[Run]) -> dict[Path, dict[str, Any]]:
    """Return folder and generator of each data set that is made on the spot."""
    shards = {
        Path(expand_shards(root.absolute(run.config.data.shards))[0]).parent: run.config.data.generator
        for run in runs
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
