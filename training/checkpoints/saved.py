"""Which states and weights lie in a segment's folder, by their names. No torch."""

import os
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

SAVED = re.compile(r"(state|weights)-(\d+)(?:\.(\d+)-of-(\d+))?\.safetensors")
"""Kind, samples seen, and of a state in parts: which one of how many."""


def saved_samples(folder: Path, kind: str) -> list[int]:
    """Return the samples seen of all `state` or `weights` in a folder, ascending."""
    return saved_among(_names(folder), kind)


def saved_among(names: Iterable[str], kind: str) -> list[int]:
    """Return the samples seen of all `state` or `weights` among some names, ascending.

    A state of which a part is missing does not count.
    """
    there = Counter((int(f[2]), int(f[4] or 1)) for f in _matches(names) if f[1] == kind)
    return sorted({samples for (samples, num_parts), count in there.items() if count == num_parts})


def state_paths(folder: Path, samples_seen: int) -> list[Path]:
    """Return the files of a full state: one, or its parts in order.

    Raises:
        FileNotFoundError: it is not there, or not all of it.
    """
    found = [f for f in _matches(_names(folder)) if f[1] == "state" and int(f[2]) == samples_seen]
    for num_parts in sorted({int(f[4] or 1) for f in found}):
        paths = [state_path(folder, samples_seen, part, num_parts) for part in range(num_parts)]
        if {path.name for path in paths} <= {f[0] for f in found}:
            return paths
    raise FileNotFoundError(f"{folder} has no full state at {samples_seen} samples")


def state_files(folder: Path, *, but: Container[int]) -> list[Path]:
    """Return the files of all states, whole or not, but those at some numbers of samples seen."""
    names = _names(folder)
    return [folder / f[0] for f in _matches(names) if f[1] == "state" and int(f[2]) not in but]


def state_path(folder: Path, samples_seen: int, part: int = 0, num_parts: int = 1) -> Path:
    """Return the file of a full state, or of one of its parts."""
    which = f".{part}-of-{num_parts}" if num_parts > 1 else ""
    return folder / f"state-{samples_seen}{which}.safetensors"


def weights_path(folder: Path, samples_seen: int) -> Path:
    """Return the file of a milestone."""
    return folder / f"weights-{samples_seen}.safetensors"


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _matches(names: Iterable[str]) -> Iterator[re.Match[str]]:
    return filter(None, map(SAVED.fullmatch, names))
