"""Which states and weights lie in a segment's folder, by their names. No torch."""

import os
import re
from collections.abc import Iterable
from pathlib import Path


def saved_samples(folder: Path, kind: str) -> list[int]:
    """Return the samples seen of all `state` or `weights` files in a folder, ascending."""
    return saved_among(os.listdir(folder) if folder.is_dir() else [], kind)


def saved_among(names: Iterable[str], kind: str) -> list[int]:
    """Return the samples seen of all `state` or `weights` files among some names, ascending."""
    pattern = re.compile(rf"{kind}-(\d+)\.safetensors")
    return sorted(int(found[1]) for name in names if (found := pattern.fullmatch(name)))


def state_path(folder: Path, samples_seen: int) -> Path:
    """Return the file of a full state."""
    return folder / f"state-{samples_seen}.safetensors"


def weights_path(folder: Path, samples_seen: int) -> Path:
    """Return the file of a milestone."""
    return folder / f"weights-{samples_seen}.safetensors"
