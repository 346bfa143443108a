"""What is seen of a run while it trains: one JSON line a moment."""

import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec

from sweeps import durable

TAIL_BYTES = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One line: where training stands.

    `losses` are means over the steps since the line before that were not skipped. `grad_norm` None: it
    is not finite. `skipped_steps`, `num_broken` (samples): since the run began. `shown`: what the
    procedure shows besides.
    """

    samples_seen: int
    time: float
    samples_per_s: float
    lr: float
    grad_norm: float | None
    skipped_steps: int
    losses: dict[str, float]
    shown: dict[str, float]
    num_broken: int = 0


def metrics_path(folder: Path, attempt: int) -> Path:
    """Return the metrics file of an attempt."""
    return folder / f"metrics-{attempt}.jsonl"


def continue_metrics(folder: Path, attempt: int, samples: int) -> Path:
    """Begin an attempt's file with what earlier ones saw up to `samples`, and return its path.

    So one file holds the whole course, each sample once, however often a run is stopped.
    """
    path = metrics_path(folder, attempt)
    attempts = {int(p.stem.partition("-")[2]): p for p in folder.glob("metrics-*.jsonl")}
    earlier = [attempts[number] for number in sorted(attempts) if number < attempt]
    if earlier:
        moments = [moment for moment in read_moments(earlier[-1]) if moment.samples_seen <= samples]
        durable.replace(path, b"".join(map(durable.encode, moments)))
    for old in earlier:
        old.unlink()
    return path


def read_moments(path: Path) -> list[Moment]:
    """Return all whole lines of a metrics file."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [msgspec.json.decode(line, type=Moment) for line in lines]


class MetricsWriter:
    """Appends moments to a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, moment: Moment) -> None:
        """Append one line, visible to readers at once."""
        self._file.write(msgspec.json.encode(moment) + b"\n")
        self._file.flush()


def last_moment(path: Path) -> Moment | None:
    """Return the last whole line of a metrics file, or None where there is none yet."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    for line in reversed(lines[:-1]):
        try:
            return msgspec.json.decode(line, type=Moment)
        except msgspec.DecodeError:
            continue
    return None


class Rate:
    """Samples per second since it was last asked."""

    def __init__(self, samples: int) -> None:
        self._samples, self._time = samples, time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds since it was last asked."""
        return time.monotonic() - self._time

    def take(self, samples: int) -> float:
        """Return the rate up to `samples`, and begin anew."""
        now = time.monotonic()
        rate = (samples - self._samples) / max(now - self._time, 1e-9)
        self._samples, self._time = samples, now
        return rate
