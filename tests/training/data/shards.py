"""Shards of a few samples, written by Python's own tarfile."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def write_shard(path: Path, members: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    """Write a tar file of members by name; return its path."""
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path
