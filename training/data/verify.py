"""Decode every sample of a data set, to find the broken ones before training does."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sweeps.errors import DataError
from training.data.contents import BrokenSample, caption_of, image_of
from training.data.decode import decode
from training.data.index import open_index
from training.data.indexing import Progress
from training.data.parallel import of_each
from training.data.reader import ShardReader


def broken_samples(file: Path, num_workers: int, progress: Progress) -> Iterator[BrokenSample]:
    """Yield the broken samples of the data set whose index is `file`, as they are found.

    A shard that cannot be read counts as one.
    """
    index = open_index(file)
    if index is None:
        raise DataError(f"{file} is no index of shards")
    shards = range(index.num_shards)
    for done, (shard, found) in enumerate(of_each(partial(_in_shard, file), shards, num_workers), 1):
        progress(done, len(shards))
        if isinstance(found, DataError):
            yield BrokenSample(shard=str(index.path(shard)), key="(all)", reason=str(found))
        else:
            yield from found


def _in_shard(file: Path, shard: int) -> list[BrokenSample]:
    index = open_index(file)
    assert index is not None
    reader, found = ShardReader(index), []
    for number, sample in enumerate(reader.samples(shard)):
        try:
            decode(image_of(sample))
            caption_of(sample)
        except ValueError as error:
            key, path = reader.key(shard, number), str(index.path(shard))
            found.append(BrokenSample(shard=path, key=key, reason=str(error)))
    return found
