"""Batches on a CPU side by side: each is computed by one thread.

Threads that share an operator wait for each other at its end, which small ones are not worth; where
another process takes a core, all of them wait for the thread that had it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch

from evaluation.encoding.stream import BATCH, ahead

T = TypeVar("T")

LEAST = 32
"""Samples that a thread takes at a time at least: fewer take longer each."""


def apart(
    encode: Callable[[T], torch.Tensor], parts: Callable[[int], Iterable[T]]
) -> Iterator[torch.Tensor]:
    """Yield what `encode` makes of each part, in order, by as many threads as torch may use.

    Args:
        encode: is called in threads.
        parts: returns all parts, given how many samples each may have; together a batch at a time.
    """
    with threads_apart() as num_threads:
        found = parts(max(BATCH // num_threads, LEAST))
        yield from ahead((partial(encode, part) for part in found), num_threads)


@contextmanager
def threads_apart() -> Iterator[int]:
    """Have each operator computed by the thread that calls it; yield how many it may be otherwise."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield num_threads
    finally:
        torch.set_num_threads(num_threads)
