"""Where the files of a test set lie: CLIP_benchmark's WebDataset layout, as on the hub. No torch.

    FOLDER/dataset_type.txt                          retrieval, multilabel, or not there: classification
    FOLDER/classnames.txt                            a line each
    FOLDER/zeroshot_classification_templates.txt     a line each; {c} = the class
    FOLDER/test/nshards.txt                          how many tars
    FOLDER/test/0.tar …                              an image, and what is known of it
    FOLDER/train/nshards.txt, FOLDER/train/0.tar …   the same, where a set has labels to learn from

Of an image is known: `.cls`, its class; `.txt`, its captions, a line each; `.npy`, numbers: in a
multilabel set 0 or 1 for each class, elsewhere its groups (DataComp's income, region …). Ours alone are
`.seg.png`, the class of each pixel, and `test/instances.jsonl` for questions about several images at
once: `evaluation.testset.Instance` says what stands in a line.
"""

from pathlib import Path

CLASSIFICATION, RETRIEVAL, MULTILABEL = "classification", "retrieval", "multilabel"


def is_test_set(folder: Path, split: str = "test") -> bool:
    """Return whether a test set lies in `folder`."""
    return _num_shards_path(folder, split).exists()


def shard_paths(folder: Path, split: str = "test") -> list[Path]:
    """Return the tar files of a test set.

    Raises:
        FileNotFoundError: there is no test set.
    """
    num_shards = int(_num_shards_path(folder, split).read_text())
    return [folder / split / f"{number}.tar" for number in range(num_shards)]


def instances_path(folder: Path, split: str = "test") -> Path:
    """Return the file of questions about several images."""
    return folder / split / "instances.jsonl"


def kind_of(folder: Path) -> str:
    """Return what `dataset_type.txt` says, classification without it."""
    path = folder / "dataset_type.txt"
    return path.read_text().strip().lower() if path.exists() else CLASSIFICATION


def _num_shards_path(folder: Path, split: str) -> Path:
    return folder / split / "nshards.txt"
