"""Names of shards: brace patterns, as webdataset and open_clip read them. No torch, no numpy."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from sweeps.errors import DataError

BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")


def expand_shards(pattern: str) -> list[str]:
    """Return the files that `pattern` names: braces expanded, several patterns joined by `::`.

    `a/{000..010}.tar::b/{x,y}.tar` gives 13 names.
    """
    return [name for part in pattern.split("::") for name in _expand(part)]


def existing_shards(pattern: str) -> list[Path]:
    """Return the files that `pattern` names.

    Raises:
        DataError: some of them do not exist; the first missing one is named.
    """
    paths = [Path(name) for name in expand_shards(pattern)]
    if not paths:
        raise DataError(f"data.shards={pattern} names no file; ranges count upwards: {{000..099}}")
    if missing := missing_shards(paths):
        raise DataError(
            f"{len(missing)} of {len(paths)} shards are missing, the first is {missing[0]}; "
            f"point data.shards= at WebDataset tar files"
        )
    return paths


def missing_shards(paths: list[Path]) -> list[Path]:
    """Return those of `paths` that are no files, with one listing per folder."""
    present = {folder: _file_names(folder) for folder in {path.parent for path in paths}}
    return [path for path in paths if path.name not in present[path.parent]]


def _expand(pattern: str) -> Iterator[str]:
    parts = BRACES.split(pattern)
    choices = [_alternatives(p) if i % 2 else [p] for i, p in enumerate(parts)]
    return ("".join(chosen) for chosen in itertools.product(*choices))


def _alternatives(inside: str) -> list[str]:
    if found := RANGE.fullmatch(inside):
        width = len(found[1])
        return [f"{number:0{width}d}" for number in range(int(found[1]), int(found[2]) + 1)]
    return inside.split(",")


def _file_names(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if not entry.is_dir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
