"""Read samples of WebDataset tar shards by number.

A shard is a tar file in which consecutive members of one base name make a sample. An index notes
where each sample begins and how long it is (8 bytes a sample), so that one `pread` brings any of
them. Which sample is wanted is decided by `training.data.order`, pixels are left to
`training.data.images`.
"""

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sweeps import durable
from sweeps.errors import DataError

BLOCK = 512
"""Tar files consist of blocks of so many bytes."""

Sample = dict[str, bytes]
"""Content of a sample's members by extension: jpg, txt, json …"""


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """Where the samples of a data set lie.

    `starts`: number of the first sample of each shard, and the total; shape (shards + 1,).
    `blocks`: first tar block of each sample and number of blocks; shape (samples, 2), uint32.
    """

    paths: tuple[Path, ...]
    starts: NDArray[np.int64]
    blocks: NDArray[np.uint32]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of samples of each shard, shape (shards,)."""
        return np.diff(self.starts)


class ShardReader:
    """Reads samples by (shard, number in the shard), keeping the newest files open."""

    def __init__(self, index: ShardIndex, *, open_files: int = 32) -> None:
        self._index = index
        self._open_files = open_files
        self._descriptors: dict[int, int] = {}

    def read(self, shard: int, sample: int) -> Sample:
        """Return one sample.

        Raises:
            DataError: the shard is shorter than its index says.
        """
        first, count = self._index.blocks[self._index.starts[shard] + sample].tolist()
        raw = os.pread(self._descriptor(shard), count * BLOCK, first * BLOCK)
        if len(raw) != count * BLOCK:
            raise DataError(f"{self._index.paths[shard]} is shorter than when it was indexed")
        return {_split(name)[1]: raw[begin:end] for name, begin, end in _members(raw)}

    def _descriptor(self, shard: int) -> int:
        if shard not in self._descriptors:
            if len(self._descriptors) >= self._open_files:
                os.close(self._descriptors.pop(next(iter(self._descriptors))))
            self._descriptors[shard] = os.open(self._index.paths[shard], os.O_RDONLY)
        return self._descriptors[shard]


def open_index(paths: Sequence[Path], cache: Path) -> ShardIndex:
    """Return the index of `paths`, made once and kept in `cache` as long as the files stay alike.

    Raises:
        DataError: a shard is missing, truncated or holds nothing.
    """
    stamp = durable.encode([[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in paths])
    if cache.exists():
        with np.load(cache) as known:
            if known["stamp"].tobytes() == stamp:
                return ShardIndex(tuple(paths), known["starts"], known["blocks"])
    index = make_index(paths)
    _save(index, stamp, cache)
    return index


def make_index(paths: Sequence[Path]) -> ShardIndex:
    """Return the index of `paths` by walking their headers."""
    tables = [_walk(path) for path in paths]
    starts = np.cumsum([0, *map(len, tables)])
    return ShardIndex(tuple(paths), starts, np.concatenate(tables))


def _save(index: ShardIndex, stamp: bytes, cache: Path) -> None:
    content = io.BytesIO()
    np.savez(
        content,
        stamp=np.frombuffer(stamp, dtype=np.uint8),
        starts=index.starts,
        blocks=index.blocks,
    )
    cache.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(cache, content.getvalue())


def _walk(path: Path) -> NDArray[np.uint32]:
    """Return (first block, number of blocks) of each sample of one shard."""
    rows: list[tuple[int, int]] = []
    last = None
    try:
        for base, first, end in _sample_members(path):
            if base == last:
                rows[-1] = (rows[-1][0], end - rows[-1][0])
            else:
                rows.append((first, end - first))
            last = base
    except ValueError as error:
        raise DataError(f"{path} is no tar file: {error}") from error
    if not rows:
        raise DataError(f"{path} holds no samples")
    return np.asarray(rows, dtype=np.uint32)


def _sample_members(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield (base name, first block, block behind it) of each file member of a tar."""
    size = path.stat().st_size
    with path.open("rb") as file:
        block = 0
        while header := _header(file.read(BLOCK)):
            name, length, is_file = header
            end = block + 1 + -(-length // BLOCK)
            if end * BLOCK > size:
                raise DataError(f"{path} is truncated: {name} ends behind the end of the file")
            if is_file:
                yield _split(name)[0], block, end
            block = end
            file.seek(block * BLOCK)


def _members(raw: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield (name, begin, end) of the contents of the file members in `raw`."""
    block = 0
    while block * BLOCK < len(raw) and (header := _header(raw[block * BLOCK :][:BLOCK])):
        name, length, is_file = header
        begin = (block + 1) * BLOCK
        if is_file:
            yield name, begin, begin + length
        block += 1 + -(-length // BLOCK)


def _header(block: bytes) -> tuple[str, int, bool] | None:
    """Return (name, length, whether it is a file) of a tar header; None at the end."""
    if len(block) < BLOCK or block[0] == 0:
        return None
    name = block[:100].rstrip(b"\0").decode()
    length = int(block[124:136].rstrip(b" \0") or b"0", 8)
    return name, length, block[156:157] in (b"0", b"\0")


def _split(name: str) -> tuple[str, str]:
    """Return (base, extension): `a.b/0001.seg.png` → `a.b/0001`, `seg.png`."""
    folder, slash, file = name.rpartition("/")
    base, _, extension = file.partition(".")
    return folder + slash + base, extension
