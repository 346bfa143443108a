"""Record what clip_benchmark says of a small model on small sets, for tests to compare ours with.

Writes tests/evaluation/clip_benchmark.json: its values, the versions of what computed them, and a hash
of the weights and images, by which a test tells another generator from another metric.
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.environments import environment
from benchmarks.openclip import REMEDY
from sweeps.folders import CHECKOUT
from tests.evaluation import peer_sets
from training.model import model_config

PACKAGES = (
    "clip_benchmark==1.6.2",
    "numpy<2.4",  # with a newer one it fails after it has encoded everything
    "open_clip_torch==3.3.0",
    "pillow==13.0.0",
    "requests",  # which it imports and does not ask for
    "scikit-learn==1.9.1",
    "torch==2.13.0",
    "torchvision==0.28.0",
)
APP = CHECKOUT / "benchmarks" / "peer_apps" / "clip_benchmark_eval.py"
RECORD = CHECKOUT / "tests" / "evaluation" / "clip_benchmark.json"

PROBE = ("--train_split", "train", "--val_split", "val")
TASKS = {
    "zeroshot_classification": ("classification", ()),
    "mean_average_precision": ("multilabel", ()),
    "zeroshot_retrieval": ("captions", ("--recall_k", "1", "5", "10")),
    "image_caption_selection": ("negatives", ()),
    "linear_probe": ("classification", PROBE),
}
"""What is recorded → test set, further arguments; its task has the same name, but for one."""


def main() -> None:
    """Write the record, and print it."""
    python = environment("clip_benchmark", PACKAGES)
    with tempfile.TemporaryDirectory(prefix="isogrid-") as name:
        folder = Path(name)
        sets = peer_sets.write_sets(folder)
        weights = peer_sets.model().state_dict()
        torch.save(weights, folder / "weights.pt")
        (folder / "models").mkdir()
        described = json.dumps(model_config(peer_sets.config()))
        (folder / "models" / "ViT-w32.json").write_text(described)
        record = {
            "versions": _versions(python),
            "sha256": peer_sets.digest(sets["classification"]),
            "values": {what: _values(python, folder, what, sets) for what in TASKS},
        }
    text = json.dumps(record, indent=1) + "\n"
    RECORD.write_text(text)
    print(text)


def _versions(python: Path) -> dict[str, str]:
    names = [re.split("[=<]", package)[0] for package in PACKAGES]
    code = f"from importlib.metadata import version; print([version(n) for n in {names}])"
    versions = subprocess.check_output([str(python), "-c", code], text=True)
    return dict(zip(names, json.loads(versions.replace("'", '"')), strict=True))


def _values(python: Path, folder: Path, what: str, sets: dict[str, Path]) -> dict[str, Any]:
    """Return the metrics of one task, which run in a process of their own."""
    name, options = TASKS[what]
    task = "zeroshot_classification" if what == "mean_average_precision" else what
    words = [str(python), str(APP), str(REMEDY), str(folder / "models"), "eval", "--no_amp"]
    words += ["--model", "ViT-w32", "--pretrained", str(folder / "weights.pt"), "--task", task]
    words += ["--dataset", f"wds/{name}", "--dataset_root", str(sets[name]), "--num_workers", "0"]
    words += ["--output", str(folder / "out.json"), "--quiet", *options]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, cwd=folder, env=one_thread, check=True, stdout=subprocess.PIPE, text=True
    )
    metrics: dict[str, Any] = json.loads((folder / "out.json").read_text())["metrics"]
    metrics.pop("classification_report", None)
    if task == "linear_probe":
        metrics.update(json.loads(done.stdout.splitlines()[-1]))
    return metrics


if __name__ == "__main__":
    main()
