"""Which rows a part of the table holds, in a small file beside it, so that asking needs no Arrow.

Checkpoints that have the same evals share a block, so the file grows with the checkpoints and not with
the rows. How it is kept: `evaluation.store`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from evaluation.rows import Key

Eval = tuple[str, str, int]
"""Name, data set, version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Checkpoints of which each has all of these evals, and no others in its part."""

    evals: tuple[Eval, ...]
    checkpoints: tuple[str, ...]


def blocks_of(keys: Iterable[Key]) -> list[Block]:
    """Return the blocks that hold these keys and no others."""
    evals: dict[str, set[Eval]] = {}
    for checkpoint, name, data, version in keys:
        evals.setdefault(checkpoint, set()).add((name, data, version))
    checkpoints: dict[tuple[Eval, ...], list[str]] = {}
    for checkpoint, of_it in evals.items():
        checkpoints.setdefault(tuple(sorted(of_it)), []).append(checkpoint)
    return [Block(evals=suite, checkpoints=tuple(names)) for suite, names in checkpoints.items()]


def keys_in(blocks: Iterable[Block]) -> Iterator[Key]:
    """Yield the keys that blocks hold."""
    for block in blocks:
        for checkpoint in block.checkpoints:
            for name, data, version in block.evals:
                yield checkpoint, name, data, version
