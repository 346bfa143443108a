"""Scoring beside clip_benchmark: `python -m benchmarks.evaluation`. Prints one JSON object.

Checkpoints of the quickstart's smallest model × test sets in CLIP_benchmark's format, zero-shot, on
this machine's CPU, from the same milestones and tars. clip_benchmark runs as one process for each pair,
of which `pairs_measured` are timed and the rest taken to last as long, and as one process that is given
all of them; ours as one scoring process. Then a single pair from cold. Our sets are decoded inside our
time. Accuracies of all pairs are compared. `memory_mib` is the most that a process held, what it mapped
of decoded sets included.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.environments import environment
from benchmarks.openclip import REMEDY
from benchmarks.record_peers import PACKAGES
from conf.schema import EvalSpec, ResourceConfig
from evaluation import orders, results
from evaluation.claims import Scorer
from evaluation.orders import ScoreOrder
from sweeps.folders import CHECKOUT, Root, make_folders
from sweeps.runs.expansion import Segment
from sweeps.runs.frozen import freeze_segment
from sweeps.work.items import CheckpointEvals, ScoreItem
from tests.training.segments import expansion_of, order_for, train
from training.checkpoints.saved import weights_path
from training.data.generate import Generation, generate
from training.model import model_config

APP = CHECKOUT / "benchmarks" / "peer_apps" / "clip_benchmark_cli.py"
EVALUATOR = "evaluation.evaluators.classification.ZeroShotClassification"
THREADS = 2
RUN = ("sweep=pair", "seed=0", "checkpoints.first_milestone=120")
"""A run with six checkpoints."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What one process took; `memory_mib` is the most that it held."""

    wall_s: float
    cpu_s: float
    memory_mib: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A trained segment under a root, and test sets in its `data` folder."""

    root: Root
    segment: Segment
    sets: tuple[str, ...]

    @property
    def weights(self) -> list[Path]:
        """The milestones."""
        folder = self.root.segment(self.segment.key)
        return [weights_path(folder, samples) for samples in self.segment.milestones]


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=8)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=3, help="to time one by one")
    parser.add_argument("--workers", type=int, default=1, help="of clip_benchmark's loader")
    parser.add_argument("--repeat", type=int, default=3, help="of the single pair")
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name:
        task = prepared(Root(Path(name) / "root"), given.sets, given.images)
        peer = Peer(Path(name) / "peer", task, given.workers)
        pairs = [peer.run(*pair) for pair in _spread(task, given.pairs)]
        peer_all, ours_all = peer.run(task.weights, task.sets), score_all(task, Path(name))
        singles = [single(task, peer, Path(name) / str(n)) for n in range(given.repeat)]
        differences = peer.differences()
    found = {
        "machine": {"cores": os.cpu_count(), "load": [load_before, os.getloadavg()[0]]},
        "versions": {n: version(n) for n in ("torch", "open_clip_torch")} | {"peer": PACKAGES},
        "task": {
            "checkpoints": len(task.weights), "sets": given.sets, "images": given.images,
            "pairs": len(task.weights) * given.sets, "pairs_measured": given.pairs,
        },
        "a process each": _median(pairs),
        "one process": asdict(peer_all),
        "isogrid": asdict(ours_all),
        "single": {"clip_benchmark": _median([s[0] for s in singles]),
                   "isogrid": _median([s[1] for s in singles])},
        "most_difference": max(differences),
    }  # fmt: skip
    print(json.dumps({**found, "bars": _bars(found)}))


def prepared(root: Root, num_sets: int, num_images: int) -> Task:
    """Train a run with six checkpoints, and write the test sets."""
    make_folders(root)
    expansion = expansion_of(*RUN)
    (segment,) = expansion.segments.values()
    generator = expansion.runs[0].config.data.generator
    assert generator is not None
    generate(Generation(folder=root.data / "tiny", generator=generator))
    freeze_segment(root, segment)
    train(order_for(segment, root.segments, root.data))
    sets = tuple(f"shapes{number}" for number in range(num_sets))
    for number, name in enumerate(sets):
        target = "training.synthetic.shapes.write_test_set"
        generator = {"_target_": target, "num_samples": num_images, "seed": number + 1}
        generate(Generation(folder=root.data / name, generator=generator))
    return Task(root=root, segment=segment, sets=sets)


def score_all(task: Task, folder: Path) -> Run:
    """Score all checkpoints on all sets with one scoring process, which decodes them first."""
    evals = tuple(
        EvalSpec(_target_=EVALUATOR, name="zeroshot_classification", dataset=name) for name in task.sets
    )
    key = task.segment.key
    item = ScoreItem(
        checkpoints=tuple(
            CheckpointEvals(segment=key, samples_seen=n, evals=evals) for n in task.segment.milestones
        ),
        datasets={name: str(task.root.data / name) for name in task.sets},
        resources=ResourceConfig(threads_per_rank=THREADS),
    )
    order = ScoreOrder(
        item=item,
        root=task.root.path,
        scorer=Scorer(submission="benchmark", index=0, attempt=1),
        followable=(),
        progress=folder / "progress",
        commit="",
        stop_file=folder / "stop",
        verdict_file=folder / "verdict",
    )
    orders.write(folder / "order.json", order)
    return timed([sys.executable, "-m", "evaluation.worker", str(folder / "order.json")], CHECKOUT)


def single(task: Task, peer: "Peer", root: Path) -> tuple[Run, Run]:
    """Score the last checkpoint on the first set with both, from cold; ours under a root of its own."""
    weights, name = task.weights[-1], task.sets[0]
    words = [f"weights={weights}", f"dataset={task.root.data / name}", f"root={root}", "append=true"]
    theirs = peer.run([weights], [name])
    return theirs, timed([sys.executable, "-m", "evaluation", "score", *words], CHECKOUT)


class Peer:
    """clip_benchmark, in an environment of its own."""

    def __init__(self, folder: Path, task: Task, workers: int) -> None:
        self._folder, self._task, self._workers = folder, task, workers
        self._python = environment("clip_benchmark", PACKAGES)
        self._name = task.segment.train.model.name
        (folder / "models").mkdir(parents=True)
        described = json.dumps(model_config(task.segment.train.model))
        (folder / "models" / f"{self._name}.json").write_text(described)

    def run(self, weights: Sequence[Path], sets: Sequence[str]) -> Run:
        """Score checkpoints on sets with one process."""
        models = [f"{self._name},{path}" for path in weights]
        words = [str(self._python), str(APP), str(REMEDY), str(self._folder / "models"), "eval"]
        words += ["--pretrained_model", *models, "--dataset", *(f"wds/{name}" for name in sets)]
        words += ["--dataset_root", f"{self._task.root.data}/{{dataset}}"]
        words += ["--task", "zeroshot_classification", "--no_amp", "--num_workers", str(self._workers)]
        words += ["--output", f"{self._folder}/{{dataset}}-{{pretrained}}.json"]
        return timed(words, self._folder)

    def differences(self) -> list[float]:
        """Return how far its accuracies are from those in our table, of all pairs."""
        frame = results.load(self._task.root.path)
        return [
            abs(row[metric] - self._metrics(row)[metric])
            for row in frame.to_dict("records")
            for metric in ("acc1", "acc5", "mean_per_class_recall")
        ]

    def _metrics(self, row: Mapping[Any, Any]) -> dict[str, float]:
        weights = weights_path(Path(), row["samples_seen"]).name
        file = self._folder / f"{row['downstream_dataset']}-{weights}.json"
        metrics: dict[str, float] = json.loads(file.read_text())["metrics"]
        return metrics


def timed(words: Sequence[str], folder: Path) -> Run:
    """Run a command; return what it took, and the most memory that it held itself.

    Raises:
        RuntimeError: it failed.
    """
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    began = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{' '.join(words)}: {errors.read().decode()[-2000:]}")
    return Run(
        wall_s=round(wall_s, 2),
        cpu_s=round(used.ru_utime + used.ru_stime, 2),
        memory_mib=used.ru_maxrss // 1024,
    )


def _spread(task: Task, count: int) -> list[tuple[list[Path], list[str]]]:
    """Return some pairs of a checkpoint and a set, of different ones."""
    weights, sets = task.weights, task.sets
    return [([weights[n % len(weights)]], [sets[n % len(sets)]]) for n in range(count)]


def _median(runs: Sequence[Run]) -> dict[str, float]:
    return {
        name: statistics.median(asdict(run)[name] for run in runs)
        for name in ("wall_s", "cpu_s", "memory_mib")
    }


def _bars(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is promised, and whether it is met."""
    ours, of_single = found["isogrid"]["wall_s"], found["single"]
    each = found["task"]["pairs"] * found["a process each"]["wall_s"]
    least = [
        ("times less than a process for each pair", each / ours, 10.0),
        ("times less than one process", found["one process"]["wall_s"] / ours, 4.0),
        (
            "times less for a single pair",
            of_single["clip_benchmark"]["wall_s"] / of_single["isogrid"]["wall_s"],
            1.8,
        ),
    ]
    difference = found["most_difference"]
    return [
        *({"name": n, "value": round(v, 2), "at_least": m, "met": v >= m} for n, v, m in least),
        {"name": "accuracy", "value": difference, "at_most": 1e-6, "met": difference <= 1e-6},
    ]


if __name__ == "__main__":
    main()
