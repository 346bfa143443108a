"""Make the index of a data set: in parallel, resumable after a kill, one process at a time.

What was walked is kept in a part (`training.data.parts`), which becomes the index when it is whole. So
a kill costs the shards that were being walked, and a changed shard is walked alone.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from sweeps import durable
from sweeps.errors import DataError
from training.data import parts
from training.data.index import (
    HEAD_BYTES,
    IndexWriter,
    ShardIndex,
    Stamp,
    WalkedShard,
    open_index,
)
from training.data.parallel import of_each
from training.data.uids import UidList
from training.data.walk import walk

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Told how many shards of how many are done."""

LOOKS_AT_ONCE = 32
"""Files looked at at once: a look waits for a server most of its time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What an index is made of: shards, and the list of uids that chooses among their samples."""

    paths: tuple[str, ...]
    uids: Path | None = None

    def uids_stamp(self) -> Stamp | None:
        """Return how the list looks now.

        Raises:
            DataError: it is missing or no list of uids.
        """
        if self.uids is None:
            return None
        UidList(self.uids)
        return Stamp.of(self.uids.stat())


def index_in_memory(paths: Sequence[Path]) -> ShardIndex:
    """Return the index of a few shards, without a file.

    Raises:
        DataError: a shard is missing, truncated or holds nothing.
    """
    content, names = BytesIO(), [str(path) for path in paths]
    writer = IndexWriter(content)
    for name in names:
        writer.add(walk(name))
    writer.finish(names)
    return ShardIndex(np.frombuffer(content.getvalue(), dtype=np.uint8))


def up_to_date(file: Path, origin: Origin) -> ShardIndex | None:
    """Return the index in `file` if it is that of `origin` as it looks now, else None.

    Raises:
        DataError: a shard is missing; it is named.
    """
    now, index = _stamps(origin.paths), open_index(file)
    if index is None or index.uids != origin.uids_stamp() or not index.holds(origin.paths):
        return None
    return None if len(index.changed(now)) else index


def make_index(
    file: Path, origin: Origin, *, num_workers: int = 1, progress: Progress | None = None
) -> ShardIndex:
    """Return the index of `origin` in `file`; make it where it is missing or out of date.

    Only shards that were not walked before are walked, by `num_workers` processes (one: by this one).

    Raises:
        DataError: shards are missing, truncated or hold nothing. The others will not be walked again.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    while (index := up_to_date(file, origin)) is None:
        if part := parts.claim(file, origin.uids_stamp()):
            with parts.beating(part):
                _make(part, file, origin, num_workers, progress or _say_nothing)
    return index


def _make(part: Path, file: Path, origin: Origin, num_workers: int, progress: Progress) -> None:
    """Walk what was not walked yet into `part`, and publish it as `file`."""
    now = dict(zip(origin.paths, _stamps(origin.paths), strict=True))
    with part.open("r+b") as content:
        content.seek(HEAD_BYTES)
        writer = IndexWriter(content)
        for shard in _walked_before(part, file, origin):
            if now.get(shard.path) == shard.stamp and shard.path not in writer:
                writer.add(shard)
        content.flush()
        parts.remove_earlier(part, file)
        for shard in _walked(origin, writer, num_workers, progress):
            writer.add(shard)
            content.flush()
        writer.finish(origin.paths)
        content.flush()
        os.fsync(content.fileno())
    try:
        durable.move(part, file)
    except FileNotFoundError:
        log.warning("another process took this one for dead, and goes on with %s", file)


def _walked_before(part: Path, file: Path, origin: Origin) -> Iterator[WalkedShard]:
    """Yield the shards that stand in the index as it was, and in earlier parts."""
    index, uids = open_index(file), origin.uids_stamp()
    if index is not None and index.uids == uids:
        yield from index.walked()
    yield from parts.earlier_records(part, file, uids)


def _walked(
    origin: Origin, writer: IndexWriter, num_workers: int, progress: Progress
) -> Iterator[WalkedShard]:
    """Walk and yield the shards that the writer has not.

    Raises:
        DataError: some cannot be used, after all others were yielded.
    """
    left = [path for path in origin.paths if path not in writer]
    total, done = len(origin.paths), len(origin.paths) - len(left)
    failed: dict[str, DataError] = {}
    for path, shard in of_each(partial(walk, uids=origin.uids), left, num_workers):
        if isinstance(shard, DataError):
            failed[path] = shard
        else:
            yield shard
        done += 1
        progress(done, total)
    if failed:
        raise DataError(_summary(failed, total))


def _summary(failed: Mapping[str, DataError], total: int) -> str:
    first = failed[min(failed)]
    return f"{len(failed)} of {total} shards are bad: {first}" if len(failed) > 1 else str(first)


def _stamps(paths: Sequence[str]) -> list[Stamp]:
    """Return how shards look now.

    Raises:
        DataError: some are missing; the first one is named.
    """
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
        found = list(pool.map(parts.look, map(Path, paths)))
    missing = [path for path, stamp in zip(paths, found, strict=True) if stamp is None]
    if missing:
        raise DataError(f"{len(missing)} of {len(paths)} shards are missing, the first is {missing[0]}")
    return [stamp for stamp in found if stamp is not None]


def _say_nothing(done: int, total: int) -> None:
    del done, total
