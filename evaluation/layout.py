"""Where the files of a test set lie (CLIP_benchmark's WebDataset layout). No torch.

FOLDER/classnames.txt, FOLDER/zeroshot_classification_templates.txt   a line each; {c} = the class
FOLDER/test/nshards.txt, FOLDER/test/0.tar …                          an image, .cls and/or .txt
"""

from pathlib import Path


def is_test_set(folder: Path) -> bool:
    """Return whether a test set lies in `folder`."""
    return _num_shards_path(folder).exists()


def shard_paths(folder: Path) -> list[Path]:
    """Return the tar files of a test set.

    Raises:
        FileNotFoundError: there is no test set.
    """
    num_shards = int(_num_shards_path(folder).read_text())
    return [folder / "test" / f"{number}.tar" for number in range(num_shards)]


def _num_shards_path(folder: Path) -> Path:
    return folder / "test" / "nshards.txt"
