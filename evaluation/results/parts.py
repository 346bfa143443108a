"""Parts of the results table: immutable Parquet files, and beside each the keys of its rows.

results/parts/<uuid>.parquet     the rows, in the order of their keys, so that neighbours are alike
results/parts/<uuid>.keys.json   `evaluation.results.keys`
"""

import contextlib
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from evaluation.results.keys import Block
from evaluation.results.manifest import Part
from sweeps import durable
from sweeps.errors import DamagedFile

if TYPE_CHECKING:
    import pyarrow as pa

GARBAGE_AGE_S = 24 * 3600.0
"""A part that no manifest names is so old before it is taken for one whose compactor was killed."""


def write(results: Path, table: "pa.Table", keys: Sequence[Block]) -> Part:
    """Write a part that no manifest names yet."""
    from evaluation.results import arrow

    part = Part(name=uuid.uuid4().hex, num_rows=table.num_rows)
    arrow.write(path(results, part.name), table)
    durable.replace(_keys_path(results, part.name), durable.encode(keys))
    return part


def keys(results: Path, name: str) -> tuple[Block, ...]:
    """Return which rows a part holds.

    Raises:
        FileNotFoundError: a compactor deleted it, because another part has its rows.
        DamagedFile: it holds something else.
    """
    path = _keys_path(results, name)
    try:
        return durable.decode(path.read_bytes(), tuple[Block, ...])
    except msgspec.DecodeError as error:
        raise DamagedFile(f"{path} is damaged, or of another version: {error}") from error


def delete(results: Path, names: Iterable[str]) -> None:
    """Delete parts."""
    for name in names:
        for file in (_keys_path(results, name), path(results, name)):
            file.unlink(missing_ok=True)


def exists(results: Path, name: str) -> bool:
    """Return whether a part lies there."""
    return path(results, name).exists()


def collect_garbage(results: Path, named: Iterable[str]) -> None:
    """Delete what compactors that were killed left behind; `named`: parts that are none of it."""
    oldest, kept = time.time() - GARBAGE_AGE_S, set(named)
    for file in (results / "parts").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a rival renamed or deleted it meanwhile
            if file.name.lstrip(".").partition(".")[0] not in kept and file.stat().st_mtime < oldest:
                file.unlink()


def path(results: Path, name: str) -> Path:
    """Return the Parquet file of a part."""
    return results / "parts" / f"{name}.parquet"


def _keys_path(results: Path, name: str) -> Path:
    return results / "parts" / f"{name}.keys.json"
