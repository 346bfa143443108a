"""Scoring on a GPU: what a CPU finds, and in bf16 nearly so."""

import json
from pathlib import Path

import pytest
import torch

from conf.schema import ModelConfig, Precision
from sweeps.composing.compose import compose_part
from tests import gpus
from tests.commands import run
from training.model import build_model
from training.synthetic.shapes import write_test_set

NUM_IMAGES = 600
SHOWN = {gpus.VISIBLE: ",".join(gpus.shown())}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights, and a set of several batches."""
    folder = tmp_path_factory.mktemp("gpu")
    model = build_model(compose_part("model", ModelConfig, ["model=ViT-w32"]), seed=0)
    torch.save(model.state_dict(), folder / "weights.pt")
    (folder / "shapes").mkdir()
    write_test_set(folder / "shapes", num_samples=NUM_IMAGES, seed=3)
    return folder


def accuracies(folder: Path, precision: Precision, env: dict[str, str]) -> list[float]:
    words = [f"weights={folder}/weights.pt", "model=ViT-w32", f"dataset={folder}/shapes"]
    done = run(
        *("evaluation", "score", *words, f"precision={precision.value}", "format=json"),
        root=folder,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    return [row[name] for name in ("acc1", "acc5", "mean_per_class_recall")]


@pytest.mark.slow
def test_a_gpu_finds_what_a_cpu_does(folder: Path) -> None:
    expected = accuracies(folder, Precision.fp32, {})
    few = 2 / NUM_IMAGES
    assert accuracies(folder, Precision.fp32, SHOWN) == pytest.approx(expected, abs=few)
    assert accuracies(folder, Precision.bf16, SHOWN) == pytest.approx(expected, abs=10 * few)
