"""A model and test sets of which clip_benchmark's values are recorded (`benchmarks/record_peers.py`).

Drawings have the size that the model takes: that resizing is Pillow's is a test of its own.
"""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from conf.schema import ModelConfig
from evaluation.sets.testset import load_test_set
from sweeps.composing.compose import compose_part
from training.checkpoints.checkpoint import tensors_digest
from training.model import build_model
from training.synthetic.shapes import COLOURS, SHAPES, write_test_set
from training.synthetic.wds import add_member

PARTS = [*COLOURS, *SHAPES]
"""Classes of the multilabel set: each drawing has a colour and a shape."""

NUM_IMAGES, NUM_TRAIN, NUM_VAL = 300, 400, 100


def config() -> ModelConfig:
    """Return the model: the quickstart's smallest."""
    return compose_part("model", ModelConfig, ["model=ViT-w32"])


def model() -> torch.nn.Module:
    """Return it with its seeded weights."""
    return build_model(config(), seed=0)


def digest(test_set: Path) -> str:
    """Return the SHA-256 of the weights and of a set's pixels: equal ones must give equal metrics."""
    images = torch.from_numpy(load_test_set(test_set, 32).images)
    return tensors_digest({**model().state_dict(), "images": images})


def write_sets(folder: Path) -> dict[str, Path]:
    """Write the sets; return name → folder."""
    return {name: _made(folder / name, make) for name, make in SETS.items()}


def _made(folder: Path, make: Callable[[Path], None]) -> Path:
    folder.mkdir()
    write_test_set(folder, num_samples=NUM_IMAGES, seed=11)
    make(folder)
    return folder


def _with_training_split(folder: Path) -> None:
    """Add a training split, and a part of it again as clip_benchmark's validation split."""
    for split, size in (("train", NUM_TRAIN), ("val", NUM_VAL)):
        other = folder / "other"
        other.mkdir()
        write_test_set(other, num_samples=size, seed=12)
        (other / "test").rename(folder / split)
        shutil.rmtree(other)


def _with_captions(folder: Path) -> None:
    def captions(said: str) -> list[str]:  # of at most 8 words: that is what the model reads
        _, size, colour, shape, _, _, background, _ = said.split()
        what = f"{size} {colour} {shape}"
        return [said, f"{what} on {background}", f"a {background} {what}"]

    _rewrite(folder, "txt", lambda said: "\n".join(captions(said)).encode())
    (folder / "dataset_type.txt").write_text("retrieval\n")


def _with_hard_negatives(folder: Path) -> None:
    def captions(said: str) -> list[str]:
        words, colours = said.split(), list(COLOURS)
        other = colours[(colours.index(words[2]) + 1) % len(colours)]
        return [said, " ".join([*words[:2], other, *words[3:]])]

    _rewrite(folder, "txt", lambda said: "\n".join(captions(said)).encode())
    (folder / "dataset_type.txt").write_text("retrieval\n")


def _with_several_labels(folder: Path) -> None:
    def labels(said: str) -> bytes:
        file = io.BytesIO()
        np.save(file, np.array([int(part in said.split()[2:4]) for part in PARTS]))
        return file.getvalue()

    _rewrite(folder, "npy", labels)
    (folder / "dataset_type.txt").write_text("multilabel\n")
    (folder / "classnames.txt").write_text("\n".join(PARTS) + "\n")


def _rewrite(folder: Path, kind: str, content_of: Callable[[str], bytes]) -> None:
    """Leave each sample its image, and beside it what `content_of` makes of its caption.

    Of samples with equal captions the first alone: which of two equal scores is first is chance.
    """
    path = folder / "test" / "0.tar"
    with tarfile.open(path) as tar:
        found = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    with tarfile.open(path, "w") as tar:
        first = {said: name for name, said in reversed(found.items()) if name.endswith(".txt")}
        for said, name in reversed(first.items()):
            key = name.removesuffix(".txt")
            add_member(tar, f"{key}.jpg", found[f"{key}.jpg"])
            add_member(tar, f"{key}.{kind}", content_of(said.decode()))


SETS = {
    "classification": _with_training_split,
    "multilabel": _with_several_labels,
    "captions": _with_captions,
    "negatives": _with_hard_negatives,
}
"""Name → what makes it of drawings with classes and one caption each."""
