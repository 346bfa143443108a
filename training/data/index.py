"""The index of a data set: one memory-mapped file that says where each sample lies.

    head          mark, and who made it from what
    record        of each shard: lengths, stamp and checksum; its path; 8 bytes a sample
    …
    shard table   number of the first sample, offset of the record's samples, size, mtime, end of path
    paths         one after the other
    tail          where the table begins; mark

Records come in any order, as shards are walked (`training.data.indexing`), so a file without a tail is
an index in the making. Whoever opens a finished one reads its tail and table; samples are read where
they are looked up.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from mmap import MADV_RANDOM, PROT_READ, mmap
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sweeps import durable
from training.data.tar import BLOCK

Blocks = NDArray[np.uint32]
"""First tar block of each sample and number of its blocks, shape (samples, 2)."""

MARK = b"isogrid index 1\n"
ALIGNMENT = 8
RECORD = struct.Struct("<IIqqq")
"""Checksum of what follows, length of the path, size, mtime_ns, number of samples."""
TAIL = struct.Struct("<qqq8x16s")
"""Offset of the table, number of shards, offset of the paths, mark."""
HEAD_BYTES = 512
COLUMNS = 5
"""Of the shard table, one after the other, so that only those are read that are wanted."""
SAMPLE_BYTES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Stamp:
    """What a file looks like from outside; if it changes, the file is another one."""

    bytes: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        """Return the stamp of a file by its status."""
        return cls(bytes=status.st_size, mtime_ns=status.st_mtime_ns)


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """Who makes an index (a process of a host), and with which list of uids, as it looked then.

    `pid_start`: tells the process from a later one with its id; heads without it are still read.
    """

    host: str
    pid: int
    uids: Stamp | None
    pid_start: int = 0

    def encode(self) -> bytes:
        """Return the beginning of an index file."""
        return (MARK + durable.encode(self)).ljust(HEAD_BYTES)

    @classmethod
    def decode(cls, content: bytes) -> "Head | None":
        """Return what the beginning of a file says; None if it is no index's."""
        mark, plain = content[: len(MARK)], content[len(MARK) : HEAD_BYTES]
        return durable.decode(plain, cls) if mark == MARK else None


@dataclass(frozen=True, slots=True)
class WalkedShard:
    """What one shard holds, and how it looked when it was walked."""

    path: str
    stamp: Stamp
    blocks: Blocks


class ShardIndex:
    """Where the samples of a data set lie, in the content of an index file.

    `starts`: number of the first sample of each shard, and the total; shape (shards + 1,).
    `uids`: how the list looked by which its samples were chosen. `samples_end`: where the table begins.

    Raises:
        ValueError: it is no whole index.
    """

    def __init__(self, content: NDArray[np.uint8]) -> None:
        tail = content[-TAIL.size :].tobytes()
        if len(tail) < TAIL.size or tail[-len(MARK) :] != MARK:
            raise ValueError("it has no tail")
        table, num_shards, self._paths, _ = TAIL.unpack(tail)
        self.samples_end = table
        self._content = content
        head = Head.decode(content[:HEAD_BYTES].tobytes())
        self.uids = head.uids if head else None
        columns = content[table : self._paths].view("<i8").reshape(COLUMNS, num_shards + 1)
        self.starts: NDArray[np.int64] = columns[0].copy()
        self._samples, self._bytes, self._mtimes_ns, self._path_ends = columns[1:]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of samples of each shard, shape (shards,)."""
        return np.diff(self.starts)

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return len(self.starts) - 1

    @property
    def num_samples(self) -> int:
        """Number of samples of all shards."""
        return int(self.starts[-1])

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return self._content.nbytes

    @property
    def fingerprint(self) -> int:
        """A number that tells apart data sets whose samples stand in another order; never 0."""
        return zlib.crc32(self.starts.tobytes()) or 1

    def path(self, shard: int) -> Path:
        """Return the file of one shard."""
        begin = int(self._path_ends[shard - 1]) if shard else 0
        return Path(self._text(begin, int(self._path_ends[shard])))

    def place(self, shard: int, sample: int) -> tuple[int, int]:
        """Return (first byte, number of bytes) of a sample in its shard."""
        first, count = self.blocks(shard)[sample].tolist()
        return first * BLOCK, count * BLOCK

    def blocks(self, shard: int) -> Blocks:
        """Return the blocks of all samples of a shard."""
        count = int(self.starts[shard + 1] - self.starts[shard])
        return np.frombuffer(self._content, "<u4", 2 * count, self._samples[shard]).reshape(-1, 2)

    def holds(self, paths: Sequence[str]) -> bool:
        """Return whether it is the index of exactly these files, in this order."""
        if len(paths) != self.num_shards:
            return False
        end = int(self._path_ends[self.num_shards - 1])
        return self._text(0, end) == "".join(paths) and np.array_equal(
            self._path_ends[:-1], np.cumsum([len(os.fsencode(p)) for p in paths])
        )

    def stamps(self) -> dict[str, Stamp]:
        """Return how each shard looked when it was walked, by its path."""
        ends = self._path_ends[:-1].tolist()
        paths = self._content[self._paths : self._paths + ends[-1]].tobytes()
        names = (os.fsdecode(paths[begin:end]) for begin, end in pairwise([0, *ends]))
        looks = zip(self._bytes.tolist(), self._mtimes_ns.tolist(), strict=True)
        return {
            name: Stamp(bytes=size, mtime_ns=mtime_ns)
            for name, (size, mtime_ns) in zip(names, looks, strict=False)
        }

    def changed(self, stamps: Sequence[Stamp]) -> NDArray[np.int64]:
        """Return the numbers of the shards that do not look as they did, given how they look now."""
        now = np.array([(s.bytes, s.mtime_ns) for s in stamps], dtype=np.int64).reshape(-1, 2)
        is_other = (self._bytes[:-1] != now[:, 0]) | (self._mtimes_ns[:-1] != now[:, 1])
        return np.flatnonzero(is_other)

    def walked(self) -> Iterator[WalkedShard]:
        """Yield all shards as they were walked."""
        for shard in range(self.num_shards):
            stamp = Stamp(bytes=int(self._bytes[shard]), mtime_ns=int(self._mtimes_ns[shard]))
            yield WalkedShard(str(self.path(shard)), stamp, self.blocks(shard))

    def _text(self, begin: int, end: int) -> str:
        return os.fsdecode(self._content[self._paths + begin : self._paths + end].tobytes())


def fingerprint_of(indexes: Sequence[ShardIndex]) -> int:
    """Return a number that tells apart data of which another order of samples is made; never 0."""
    of_each = [index.fingerprint for index in indexes]
    return zlib.crc32(np.array(of_each, dtype="<u4").tobytes()) or 1


def open_index(path: Path) -> ShardIndex | None:
    """Return the index in a file, of which only the table is read; None if there is no whole one."""
    try:
        with path.open("rb") as file:
            _fetch_starts(file)
            mapped = mmap(file.fileno(), 0, prot=PROT_READ)
        index = ShardIndex(np.frombuffer(mapped, dtype=np.uint8))
    except (FileNotFoundError, ValueError):
        return None
    # Samples are looked up here and there; reading around them would fetch a megabyte for each.
    mapped.madvise(MADV_RANDOM, 0, index.samples_end)
    return index


def _fetch_starts(file: BinaryIO) -> None:
    """Let the column that is needed whole come from the disk at once, and not page by page."""
    end = os.fstat(file.fileno()).st_size
    tail = os.pread(file.fileno(), TAIL.size, max(0, end - TAIL.size))
    if len(tail) == TAIL.size and tail.endswith(MARK):
        table, num_shards, _, _ = TAIL.unpack(tail)
        column = (num_shards + 1) * ALIGNMENT
        os.posix_fadvise(file.fileno(), table, column, os.POSIX_FADV_WILLNEED)


class IndexWriter:
    """Writes an index into a file: records one by one, at last the table.

    The file has its head, and stands behind it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[str, tuple[int, int, Stamp]] = {}

    def add(self, shard: WalkedShard) -> None:
        """Append what a shard holds."""
        path, blocks = os.fsencode(shard.path), shard.blocks.astype("<u4").tobytes()
        path += b"\0" * (-(RECORD.size + len(path)) % ALIGNMENT)
        sizes = (len(path), shard.stamp.bytes, shard.stamp.mtime_ns, len(shard.blocks))
        checksum = zlib.crc32(blocks, zlib.crc32(path, zlib.crc32(RECORD.pack(0, *sizes))))
        self._file.write(RECORD.pack(checksum, *sizes) + path + blocks)
        self._places[shard.path] = (self._file.tell() - len(blocks), len(shard.blocks), shard.stamp)

    def __contains__(self, path: str) -> bool:
        return path in self._places

    def finish(self, paths: Sequence[str]) -> None:
        """Append the table of `paths`, all of which were added, and the tail."""
        rows, start, path_end = [], 0, 0
        for path in paths:
            offset, num_samples, stamp = self._places[path]
            path_end += len(os.fsencode(path))
            rows.append((start, offset, stamp.bytes, stamp.mtime_ns, path_end))
            start += num_samples
        table = np.array([*rows, (start, 0, 0, 0, 0)], dtype="<i8").T
        begin = self._file.tell()
        self._file.write(table.tobytes())
        begin_of_paths = self._file.tell()
        self._file.write(os.fsencode("".join(paths)))
        self._file.write(TAIL.pack(begin, len(paths), begin_of_paths, MARK))


def unfinished_records(file: BinaryIO) -> Iterator[WalkedShard]:
    """Yield the whole records of an index in the making, from behind its head to where it was torn."""
    while len(head := file.read(RECORD.size)) == RECORD.size:
        checksum, path_length, size, mtime_ns, num_samples = RECORD.unpack(head)
        if not 0 <= num_samples <= os.fstat(file.fileno()).st_size:
            return
        content = file.read(path_length + num_samples * SAMPLE_BYTES)
        if zlib.crc32(content, zlib.crc32(RECORD.pack(0, *RECORD.unpack(head)[1:]))) != checksum:
            return
        blocks = np.frombuffer(content, dtype="<u4", offset=path_length).reshape(-1, 2)
        path = os.fsdecode(content[:path_length].rstrip(b"\0"))
        yield WalkedShard(path, Stamp(bytes=size, mtime_ns=mtime_ns), blocks)
