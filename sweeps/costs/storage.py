"""What trainings leave on disk: bytes of checkpoints, and files, which are rationed too."""

from collections.abc import Iterable
from dataclasses import dataclass

from sweeps.costs.parameters import num_parameters
from sweeps.runs.expansion import Segment

BYTES_WEIGHT = 4
"""Weights are kept in fp32."""
BYTES_STATE = 3 * BYTES_WEIGHT
"""A full state has AdamW's two moments beside each weight."""
STATES_IN_TRAINING = 3
"""A rolling pair, and the one that is being written."""
LEAST_FILES, MOST_FILES = 7, 25
"""Of a segment's folder beside its milestones: after one attempt, and whatever happens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    """Bytes (None: a model's size is unknown) and files: at the end, and at most on the way."""

    bytes_end: int | None
    bytes_peak: int | None
    files_end: int
    files_peak: int


def storage_of(segments: Iterable[Segment]) -> Storage:
    """Return what segments take up when all of them are trained, and if all are trained at once."""
    known = list(segments)
    milestones = sum(len(segment.milestones) for segment in known)
    sizes = [_bytes(segment) for segment in known]
    ends = [size[0] for size in sizes if size]
    peaks = [size[1] for size in sizes if size]
    is_known = len(ends) == len(known)
    return Storage(
        bytes_end=sum(ends) if is_known else None,
        bytes_peak=sum(peaks) if is_known else None,
        files_end=milestones + LEAST_FILES * len(known),
        files_peak=milestones + MOST_FILES * len(known),
    )


def _bytes(segment: Segment) -> tuple[int, int] | None:
    parameters = num_parameters(segment.train.model)
    if parameters is None:
        return None
    milestones = BYTES_WEIGHT * parameters * len(segment.milestones)
    state = BYTES_STATE * parameters
    return milestones + segment.keep_state * state, milestones + STATES_IN_TRAINING * state
