"""What is seen of a run while it trains: one JSON line a moment, one file an attempt.

A killed attempt leaves a torn line, and one that resumes trains again what was not saved. So each line
says which samples it is about, and `read_course` joins the files to one course.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from sweeps import durable

TAIL_BYTES = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One line: what was seen of the samples from `since` to `samples_seen`.

    `losses`: means over the steps that were not skipped. `grad_norm`: of the last step; None: it is not
    finite. `skipped_steps`, `num_broken` (samples): since the run began. `shown`: what the procedure
    shows besides.
    `flops_utilization`: share of what the GPUs reach at most, if a forward and backward pass take three
    times the FLOPs of a forward one; None where one of both is unknown, as on a CPU. `data_wait`: share
    of the time in which the first rank waited for data. `memory_gib`: most that it held so far, on its
    GPU, or in its process where there is none.
    """

    since: int
    samples_seen: int
    time: float
    samples_per_s: float
    samples_per_s_per_rank: float
    flops_utilization: float | None
    data_wait: float
    memory_gib: float
    lr: float
    grad_norm: float | None
    skipped_steps: int
    losses: dict[str, float]
    shown: dict[str, float]
    num_broken: int = 0


def metrics_path(folder: Path, attempt: int) -> Path:
    """Return the metrics file of an attempt."""
    return folder / f"metrics-{attempt}.jsonl"


def begin_metrics(folder: Path, attempt: int) -> Path:
    """Return the file of an attempt, before which those of all earlier ones are joined in one.

    A segment of many attempts so has two files, not one for each.
    """
    earlier = [path for number, path in _files(folder) if number < attempt]
    if len(earlier) > 1:
        course = read_course(folder, before=attempt)
        durable.replace(earlier[-1], *map(durable.encode, course))
        for path in earlier[:-1]:
            path.unlink()
    return metrics_path(folder, attempt)


def read_course(folder: Path, *, before: float = math.inf) -> list[Moment]:
    """Return the moments of all attempts of a segment in order, each sample once.

    Torn lines are left out, and what a later attempt trained again counts as it was the last time.

    Args:
        folder: of the segment.
        before: only of attempts with a lower number.
    """
    course: list[Moment] = []
    for number, path in _files(folder):
        for moment in read_moments(path) if number < before else []:
            while course and course[-1].samples_seen > moment.since:
                course.pop()
            course.append(moment)
    return course


def read_moments(path: Path) -> list[Moment]:
    """Return the moments of one file; lines that a killed process left unfinished are left out."""
    found = map(_moment, path.read_bytes().split(b"\n"))
    return [moment for moment in found if moment is not None]


def _files(folder: Path) -> list[tuple[int, Path]]:
    """Return the metrics files of a segment with the numbers of their attempts, ascending."""
    return sorted((int(path.stem.partition("-")[2]), path) for path in folder.glob("metrics-*.jsonl"))


def _moment(line: bytes) -> Moment | None:
    try:
        return msgspec.json.decode(line, type=Moment)
    except msgspec.DecodeError:
        return None


class Sink(Protocol):
    """What is shown the moments of a training."""

    def write(self, moment: Moment) -> None:
        """Take a moment; never in a way that holds up training."""
        ...

    def close(self) -> None:
        """Be told that no other follows."""
        ...


class MetricsWriter:
    """Appends moments to a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def write(self, moment: Moment) -> None:
        """Append one line, visible to readers at once."""
        self._file.write(msgspec.json.encode(moment) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def last_moment(path: Path) -> Moment | None:
    """Return the last whole line of a metrics file, or None where there is none yet."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    return next(filter(None, map(_moment, reversed(lines[:-1]))), None)
