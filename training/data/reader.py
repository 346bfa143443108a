"""Read samples by number: one `pread` for all members of a sample.

Which sample is wanted is decided by `training.data.order`, pixels are left to `training.data.images`.
"""

import logging
import os
import time
from collections.abc import Iterator, Sequence

from sweeps.errors import DataError
from training.data.contents import Sample
from training.data.index import ShardIndex
from training.data.tar import members

log = logging.getLogger(__name__)

RETRY_AFTER_S = (1.0, 5.0, 30.0)
"""Waiting times after failed reads of one sample: a server that restarts is back after some of them."""


class ShardReader:
    """Reads samples by (shard, number in the shard), keeping the newest files open.

    A read that fails is tried again, with the file opened anew, after each of `retry_after_s`.
    """

    def __init__(
        self,
        index: ShardIndex,
        *,
        open_files: int = 32,
        retry_after_s: Sequence[float] = RETRY_AFTER_S,
    ) -> None:
        self._index = index
        self._open_files, self._retry_after_s = open_files, retry_after_s
        self._descriptors: dict[int, int] = {}

    def read(self, shard: int, sample: int) -> Sample:
        """Return one sample.

        Raises:
            DataError: the shard cannot be read, or is shorter than its index says.
        """
        raw = self._raw(shard, sample)
        found = members(lambda offset, length: raw[offset : offset + length])
        return {m.split()[1]: raw[m.begin : m.begin + m.length] for m in found if m.split()[1]}

    def key(self, shard: int, sample: int) -> str:
        """Return the name of a sample: what its members' names have in common."""
        raw = self._raw(shard, sample)
        first = next(members(lambda offset, length: raw[offset : offset + length]))
        return first.split()[0].decode(errors="replace")

    def samples(self, shard: int) -> Iterator[Sample]:
        """Yield all samples of a shard."""
        for sample in range(int(self._index.sizes[shard])):
            yield self.read(shard, sample)

    def _raw(self, shard: int, sample: int) -> bytes:
        for pause_s in (*self._retry_after_s, None):
            try:
                return self._read_once(shard, sample)
            except OSError as error:
                self._close(shard)
                path = self._index.path(shard)
                if pause_s is None:
                    raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
                log.warning("%s: %s; reading again in %g s", path, error, pause_s)
                time.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

    def _read_once(self, shard: int, sample: int) -> bytes:
        first, length = self._index.place(shard, sample)
        raw = os.pread(self._descriptor(shard), length, first)
        if len(raw) != length:
            raise OSError(f"it is shorter than when it was indexed: no {length} bytes at {first}")
        return raw

    def _descriptor(self, shard: int) -> int:
        if shard not in self._descriptors:
            if len(self._descriptors) >= self._open_files:
                self._close(next(iter(self._descriptors)))
            self._descriptors[shard] = os.open(self._index.path(shard), os.O_RDONLY)
        return self._descriptors[shard]

    def _close(self, shard: int) -> None:
        if (descriptor := self._descriptors.pop(shard, None)) is not None:
            os.close(descriptor)
