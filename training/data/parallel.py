"""Work on many shards at once, in processes: Python's own work is most of it."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for_end
from os import _exit
from typing import TypeVar

from sweeps.errors import DataError

Shard = TypeVar("Shard")
T = TypeVar("T")

AHEAD = 4
"""Shards handed to each worker ahead of time."""


def of_each(
    work: Callable[[Shard], T], shards: Sequence[Shard], num_workers: int
) -> Iterator[tuple[Shard, T | DataError]]:
    """Yield (shard, what `work` returns for it, or its DataError), in the order in which they are done.

    `work` can be pickled. With one worker it is done in this process.

    Raises:
        DataError: a worker was killed.
    """
    if num_workers == 1 or len(shards) == 1:
        yield from ((shard, _result(work, shard)) for shard in shards)
        return
    # Not forked: the starter may have threads. What runs here imports little.
    pool = ProcessPoolExecutor(num_workers, get_context("spawn"), _begin)
    try:
        yield from _handed_out(pool, work, shards, AHEAD * num_workers)
    except BrokenProcessPool as error:
        raise DataError("a process that reads shards was killed, perhaps for want of memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _handed_out(
    pool: ProcessPoolExecutor, work: Callable[[Shard], T], shards: Sequence[Shard], most: int
) -> Iterator[tuple[Shard, T | DataError]]:
    left = iter(shards)
    running: dict[Future[T | DataError], Shard] = {}
    while True:
        for shard in islice(left, most - len(running)):
            running[pool.submit(_result, work, shard)] = shard
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()


def _result(work: Callable[[Shard], T], shard: Shard) -> T | DataError:
    try:
        return work(shard)
    except DataError as error:
        return error


def _begin() -> None:
    """Leave an interrupt to the starter, and die with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait_for_end([parent.sentinel])
    _exit(1)
