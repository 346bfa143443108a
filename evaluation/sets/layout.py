"""Where the files of a test set lie: CLIP_benchmark's WebDataset layout, as on the hub. No torch.

docs/test_sets.md has programs that lay out what is published in other forms.

    FOLDER/dataset_type.txt                          retrieval, multilabel, or not there: classification
    FOLDER/classnames.txt                            a line each, which may be empty amid others
    FOLDER/zeroshot_classification_templates.txt     a line each; {c} = the class
    FOLDER/test/nshards.txt                          how many tars
    FOLDER/test/0.tar …                              an image, and what is known of it
    FOLDER/train/nshards.txt, FOLDER/train/0.tar …   the same, where a set has labels to learn from

Of an image is known: `.cls`, its class; `.txt`, its captions, a line each; `.npy`, numbers: in a
multilabel set 0 or 1 for each class, elsewhere its groups (DataComp's income, region …). Ours alone are
`.seg.png`, the class of each pixel, and `test/instances.jsonl` for questions about several images at
once: `evaluation.sets.testset.Instance` says what stands in a line.
"""

import tarfile
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path

from sweeps.errors import DataError, choices
from training.synthetic.wds import add_member

CLASSES, TEMPLATES = "classnames.txt", "zeroshot_classification_templates.txt"
TRAIN, INSTANCES = "train/nshards.txt", "test/instances.jsonl"
KINDS = CLASSIFICATION, RETRIEVAL, MULTILABEL = "classification", "retrieval", "multilabel"


def is_test_set(folder: Path, split: str = "test") -> bool:
    """Return whether a test set lies in `folder`."""
    return _num_shards_path(folder, split).exists()


def shard_paths(folder: Path, split: str = "test") -> list[Path]:
    """Return the tar files of a test set.

    Raises:
        FileNotFoundError: there is no test set.
        DataError: it does not say how many tars it has.
    """
    path = _num_shards_path(folder, split)
    said = path.read_text().strip()
    if not said.isdecimal() or int(said) == 0:
        raise DataError(f"{path} says {said[:80]!r}; it must say how many tars there are")
    return [folder / split / f"{number}.tar" for number in range(int(said))]


def write_split(
    folder: Path,
    samples: Iterable[Mapping[str, bytes]],
    split: str = "test",
    *,
    per_shard: int = 10_000,
) -> None:
    """Write a split that is not there yet, of samples that are files by extension: `jpg`, `cls`, ….

    Raises:
        DataError: there is no sample.
        FileExistsError: it is there.
    """
    left = iter(samples)
    if (first := next(left, None)) is None:
        raise DataError(f"{folder}: there are no samples to write into {split}/; nothing was written")
    (folder / split).mkdir(parents=True)
    numbered, num_shards = enumerate(chain([first], left)), 0
    while some := list(islice(numbered, per_shard)):
        with tarfile.open(folder / split / f"{num_shards}.tar", "w") as tar:
            for number, files in some:
                for extension, content in files.items():
                    add_member(tar, f"s{number:07d}.{extension}", content)
        num_shards += 1
    _num_shards_path(folder, split).write_text(f"{num_shards}\n")


def instances_path(folder: Path, split: str = "test") -> Path:
    """Return the file of questions about several images."""
    return folder / split / "instances.jsonl"


def kind_of(folder: Path) -> str:
    """Return what `dataset_type.txt` says, classification without it.

    Raises:
        DataError: it says something else.
    """
    path = folder / "dataset_type.txt"
    kind = path.read_text().strip().lower() if path.exists() else CLASSIFICATION
    if kind not in KINDS:
        raise DataError(f"{path} says {kind[:80]!r}. {choices(kind, KINDS)}")
    return kind


def _num_shards_path(folder: Path, split: str) -> Path:
    return folder / split / "nshards.txt"
