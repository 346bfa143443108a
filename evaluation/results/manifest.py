"""Manifests of the results table: numbered files, of which the highest says which parts hold.

    results/manifests/<n>.json

Published by `link(2)`, so each number is given once, whoever races for it.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sweeps import durable

NAME = re.compile(r"(\d+)\.json")

KEPT = 20
"""So many manifests stay: what is published under a number that was deleted holds nowhere."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A Parquet file of so many rows; the keys lie beside it."""

    name: str
    num_rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The parts that hold, and what they contain besides: inbox files and parts that may be deleted.

    `consumed`: inbox files whose rows are in the parts. `replaced`: names of parts merged into others.
    Both stand here until they are deleted.
    """

    parts: tuple[Part, ...] = ()
    consumed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


def newest(results: Path) -> Manifest:
    """Return the manifest that holds; an empty one before the first."""
    return _newest(results)[1]


def publish(results: Path, change: Callable[[Manifest], Manifest | None]) -> bool:
    """Publish what `change` makes of the newest manifest, and again of the next when a rival was first.

    Returns False, with nothing published, when `change` returns None.
    """
    folder = results / "manifests"
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        number, manifest = _newest(results)
        following = change(manifest)
        if following is None:
            return False
        if durable.publish(folder / f"{number + 1}.json", durable.encode(following)):
            return True


def forget_old(results: Path) -> None:
    """Delete manifests that are far behind."""
    numbers = _numbers(results)
    for number in numbers:
        if number <= max(numbers) - KEPT:
            (results / "manifests" / f"{number}.json").unlink(missing_ok=True)


def _newest(results: Path) -> tuple[int, Manifest]:
    while numbers := _numbers(results):
        content = durable.read(results / "manifests" / f"{max(numbers)}.json", Manifest)
        if content is not None:  # else it was deleted since, being far behind
            return max(numbers), content
    return 0, Manifest()


def _numbers(results: Path) -> list[int]:
    folder = results / "manifests"
    names = os.listdir(folder) if folder.is_dir() else []
    return [int(found[1]) for name in names if (found := NAME.fullmatch(name))]
