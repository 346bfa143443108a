"""The marker that says a segment is trained. Nothing else says so. No torch."""

from dataclasses import dataclass
from pathlib import Path

from sweeps import durable

DONE = "done.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class DoneMarker:
    """What was reached. `weights_sha256`: over names, types, shapes and bytes of the end's weights."""

    key: str
    samples_seen: int
    samples_trained: int
    steps: int
    weights_sha256: str
    train_s: float
    rank_s: float
    attempt: int
    finished_at: float


def done_path(folder: Path) -> Path:
    """Return the marker's file in a segment's folder."""
    return folder / DONE


def read_done(folder: Path) -> DoneMarker | None:
    """Return the marker of a segment, or None while it is not trained."""
    return durable.read(done_path(folder), DoneMarker)
