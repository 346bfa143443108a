"""Which rows a part of the table holds, in a small file beside it, so that asking needs no Arrow.

Checkpoints that have the same evals share a block, so the file grows with the checkpoints and not with
the rows. How it is kept: `evaluation.results.store`.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from evaluation.results.rows import Key

Eval = tuple[str, str, int]
"""Name, data set, version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Checkpoints of which each has all of these evals, and no others in its part.

    An eval that was reported twice stands there twice.
    """

    evals: tuple[Eval, ...]
    checkpoints: tuple[str, ...]


def blocks_of(keys: Iterable[Key]) -> list[Block]:
    """Return the blocks that hold these keys and no others."""
    evals: dict[str, list[Eval]] = {}
    for checkpoint, name, data, version in keys:
        evals.setdefault(checkpoint, []).append((name, data, version))
    return _gathered((checkpoint, tuple(sorted(of_it))) for checkpoint, of_it in evals.items())


def merged(blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks that hold what several parts hold."""
    evals: dict[str, tuple[Eval, ...]] = {}
    for block in blocks:
        for checkpoint in block.checkpoints:
            before = evals.get(checkpoint)
            evals[checkpoint] = tuple(sorted(before + block.evals)) if before else block.evals
    return _gathered(evals.items())


def repeated(blocks: Iterable[Block]) -> set[str]:
    """Return the checkpoints of which an eval was reported more than once."""
    seen: dict[str, frozenset[Eval]] = {}
    found: set[str] = set()
    for block in blocks:
        evals = frozenset(block.evals)
        if len(evals) < len(block.evals):
            found.update(block.checkpoints)
        for checkpoint in block.checkpoints:
            before = seen.setdefault(checkpoint, evals)
            if before is not evals:
                found.update([] if before.isdisjoint(evals) else [checkpoint])
                seen[checkpoint] = before | evals
    return found


class Keys(Set[Key]):
    """A set of keys, kept by checkpoint, so that those of millions of rows take little room.

    `evals`: those of each checkpoint.
    """

    def __init__(self) -> None:
        self.evals: dict[str, frozenset[Eval]] = {}
        self._shared: dict[frozenset[Eval], frozenset[Eval]] = {}

    def add(self, blocks: Iterable[Block]) -> None:
        """Take in what blocks hold."""
        for block in blocks:
            evals = self._one(frozenset(block.evals))
            for checkpoint in block.checkpoints:
                before = self.evals.setdefault(checkpoint, evals)
                if before is not evals:
                    self.evals[checkpoint] = self._one(before | evals)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and key[1:] in self.evals.get(key[0], ())

    def __iter__(self) -> Iterator[Key]:
        return ((c, *one) for c, evals in self.evals.items() for one in evals)

    def __len__(self) -> int:
        return sum(map(len, self.evals.values()))

    def _one(self, evals: frozenset[Eval]) -> frozenset[Eval]:
        return self._shared.setdefault(evals, evals)


class Pairs(Set[tuple[str, str]]):
    """The set of (checkpoint, eval) that the evals of each checkpoint are."""

    def __init__(self, evals: Mapping[str, frozenset[str]]) -> None:
        self._evals = evals
        self._num = sum(map(len, evals.values()))  # asked for at each comparison with another set

    def __contains__(self, pair: object) -> bool:
        return isinstance(pair, tuple) and pair[1] in self._evals.get(pair[0], ())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((checkpoint, one) for checkpoint, evals in self._evals.items() for one in evals)

    def __len__(self) -> int:
        return self._num


def _gathered(evals: Iterable[tuple[str, tuple[Eval, ...]]]) -> list[Block]:
    checkpoints: dict[tuple[Eval, ...], list[str]] = {}
    for checkpoint, of_it in evals:
        checkpoints.setdefault(of_it, []).append(checkpoint)
    return [Block(evals=suite, checkpoints=tuple(names)) for suite, names in checkpoints.items()]
