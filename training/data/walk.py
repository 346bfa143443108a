"""Walk one shard: where its samples begin, and whether it is whole."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from sweeps.errors import DataError
from training.data.index import Stamp, WalkedShard
from training.data.tar import BLOCK, Fetch, Member, members
from training.data.uids import UidList

WINDOW = 256 * 1024
"""A file is read in pieces of so many bytes: over a network few large reads beat many small ones."""


class _Metadata(msgspec.Struct):
    """What is read of a sample's json."""

    uid: str


def walk(path: str, uids: Path | None = None) -> WalkedShard:
    """Return where the samples of a shard lie; with `uids`, of those in the list only.

    A sample is a run of consecutive members with one key.

    Raises:
        DataError: the shard is missing, truncated, no tar file or holds no samples; or, with `uids`, a
            sample has none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        stamp = Stamp.of(os.fstat(descriptor))
        fetch = _windowed(descriptor, path, stamp.bytes)
        samples = list(_samples(fetch, path, stamp.bytes))
        if not samples:
            raise DataError(f"{path} holds no samples")
        if uids is not None:
            samples = _chosen(samples, fetch, path, UidList(uids))
    except ValueError as error:
        raise DataError(f"{path} is no tar file, or damaged: {error}") from error
    finally:
        os.close(descriptor)
    ends = np.array([(sample[0].first, sample[-1].end) for sample in samples], dtype=np.int64)
    first, end = ends.reshape(-1, 2).T // BLOCK
    return WalkedShard(path, stamp, np.stack([first, end - first], axis=1).astype(np.uint32))


def _samples(fetch: Fetch, path: str, size: int) -> Iterator[list[Member]]:
    """Yield the members of each sample."""
    sample: list[Member] = []
    key = None
    for member in members(fetch):
        if member.end > size:
            name = member.name.decode(errors="replace")
            raise DataError(f"{path} is truncated: {name} ends behind the end of the file")
        own, extension = member.split()
        if not extension:
            continue
        if own != key and sample:
            yield sample
            sample = []
        key = own
        sample.append(member)
    if sample:
        yield sample


def _windowed(descriptor: int, path: str, size: int) -> Fetch:
    """Return a function that reads a file piece by piece."""
    window, start = b"", 0

    def fetch(offset: int, length: int) -> bytes:
        nonlocal window, start
        if offset + length > size:
            raise DataError(f"{path} is truncated: it has {size} bytes and no end mark")
        if not start <= offset <= start + len(window) - length:
            window, start = os.pread(descriptor, max(WINDOW, length), offset), offset
        return window[offset - start : offset - start + length]

    return fetch


def _chosen(samples: list[list[Member]], fetch: Fetch, path: str, uids: UidList) -> list[list[Member]]:
    """Return those samples whose uid is in the list."""
    found = [_uid(sample, fetch, path) for sample in samples]
    return [sample for sample, is_in in zip(samples, uids.contain(found), strict=True) if is_in]


def _uid(sample: list[Member], fetch: Fetch, path: str) -> int:
    """Return the 128-bit uid that a sample's json holds as 32 hexadecimal digits (DataComp)."""
    try:
        (member,) = [member for member in sample if member.split()[1] == "json"]
        return int(msgspec.json.decode(fetch(member.begin, member.length), type=_Metadata).uid, 16)
    except (ValueError, msgspec.MsgspecError) as error:
        key = sample[0].split()[0].decode(errors="replace")
        raise DataError(f"{path}, sample {key}: no json with a uid by which to choose it") from error
