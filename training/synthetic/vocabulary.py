"""The byte-pair vocabulary of the small data sets: one token a word.

open_clip's own tokenizer reads it, as it reads CLIP's; CLIP's 49,408 tokens would make the embedding
larger than all the rest of a tiny model. `python -m training.synthetic.vocabulary FILE` writes it.
"""

import gzip
import itertools
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from training.synthetic import digits, shapes

Merge = tuple[str, str]


def words() -> list[str]:
    """Return every word of the captions, templates and class names."""
    names = (shapes.COLOURS, shapes.SHAPES, shapes.BACKGROUNDS, shapes.SIZES, digits.CLASSES)
    forms = " ".join((*shapes.CAPTIONS, *shapes.TEMPLATES, *digits.TEMPLATES))
    return sorted({w for w in forms.split() if "{" not in w} | {n for group in names for n in group})


def byte_pair_merges(vocabulary: Iterable[str]) -> list[Merge]:
    """Return merges that make each word one token: byte-pair encoding (Sennrich et al. 2016)."""
    parts = [(*word[:-1], f"{word[-1]}</w>") for word in vocabulary]
    merges: list[Merge] = []
    while pairs := Counter(pair for word in parts for pair in itertools.pairwise(word)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        parts = [_merged(word, best) for word in parts]
    return merges


def content() -> bytes:
    """Return the vocabulary file: a line of comment, then one merge a line, compressed."""
    lines = ["#version: words of the small data sets", *map(" ".join, byte_pair_merges(words()))]
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def _merged(word: tuple[str, ...], pair: Merge) -> tuple[str, ...]:
    result: list[str] = []
    for part in word:
        if result and (result[-1], part) == pair:
            result[-1] += part
        else:
            result.append(part)
    return tuple(result)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(content())
