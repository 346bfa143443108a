"""Claims: which process scores a checkpoint, so that no two do it at once, and how often it was tried.

A long eval has a claim of its own, so that one process does not keep others from the rest of a
checkpoint. `results/claims/<name>.<n>` is made by `link(2)`; the highest n holds. A claim is
deleted when its rows are in the table's inbox, or its process was asked to leave. So what lies
there is being scored, or failed. Whether a claim may be followed by another one is decided by who
knows which processes are alive: not here. Who is alive all the same hands in what it found: the table
shows the same row twice as one.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sweeps import durable

ERROR_LENGTH = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorer:
    """A scoring process: an attempt of item `index` of a submission."""

    submission: str
    index: int
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One try to score a checkpoint.

    `part`: the eval on which, if that has a claim of its own; else all others. `number`: its
    generation. `tries`: how many have been made, with this one, since the user last asked to try
    again. `error`: why it failed; empty while it lasts, and where its process was killed. `failed`:
    the evals that failed; empty where it was not one of them.
    """

    checkpoint: str
    number: int
    tries: int
    scorer: Scorer
    error: str = ""
    part: str = ""
    failed: tuple[str, ...] = ()

    @property
    def suspects(self) -> tuple[str, ...]:
        """The evals that may be to blame; empty: all."""
        return self.failed or ((self.part,) if self.part else ())

    @property
    def name(self) -> str:
        """What its generations are called."""
        return name_of(self.checkpoint, self.part)

    @property
    def segment(self) -> str:
        """The key of the checkpoint's segment."""
        return self.checkpoint.partition("@")[0]


def name_of(checkpoint: str, part: str = "") -> str:
    """Return the name of claims on a checkpoint, or on one eval of it."""
    return f"{checkpoint}.{hashlib.sha256(part.encode()).hexdigest()[:8]}" if part else checkpoint


def newest(results: Path) -> dict[str, Claim]:
    """Return the claims that hold, by name."""
    numbers: dict[str, int] = {}
    for file in _files(results):
        name, _, number = file.rpartition(".")
        numbers[name] = max(int(number), numbers.get(name, 0))
    found = {name: durable.read(_path(results, name, n), Claim) for name, n in numbers.items()}
    return {name: claim for name, claim in found.items() if claim is not None}


def take(results: Path, claim: Claim) -> bool:
    """Make a claim; return False if there is one of its generation, or a later one, already."""
    folder = _folder(results)
    folder.mkdir(parents=True, exist_ok=True)
    if durable.newest_generation(folder, claim.name) >= claim.number:
        return False
    return durable.publish(_path(results, claim.name, claim.number), durable.encode(claim))


def note_failure(results: Path, claim: Claim, error: str, failed: Iterable[str] = ()) -> None:
    """Say in a claim of one's own why it failed, and which evals did if it was they."""
    noted = replace(claim, error=error[-ERROR_LENGTH:], failed=tuple(failed))
    durable.replace(_path(results, claim.name, claim.number), durable.encode(noted))


def release(results: Path, claim: Claim) -> None:
    """Delete a claim of one's own and those that it followed: its rows are in the table."""
    for number in range(1, claim.number + 1):
        _path(results, claim.name, number).unlink(missing_ok=True)


def give_back(results: Path, claim: Claim, before: Claim | None) -> None:
    """Let others take a claim of one's own, as if there were only what failed `before`."""
    if before is None or before.tries == 0:
        release(results, claim)
    else:
        kept = replace(claim, tries=before.tries, error=before.error, failed=before.failed)
        durable.replace(_path(results, claim.name, claim.number), durable.encode(kept))


def _files(results: Path) -> list[str]:
    folder = _folder(results)
    return [n for n in os.listdir(folder) if not n.startswith(".")] if folder.is_dir() else []


def _folder(results: Path) -> Path:
    return results / "claims"


def _path(results: Path, name: str, number: int) -> Path:
    return _folder(results) / f"{name}.{number}"
