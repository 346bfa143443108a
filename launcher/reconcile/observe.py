"""What is: the ledger, the markers in the folders, the table and the queue, read once a pass."""

import logging
import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from evaluation import claims
from evaluation.claims import Claim
from evaluation.results import scored_pairs
from launcher.machines.executor import Executor
from launcher.machines.queue import Queue
from launcher.records.ledger import History
from sweeps.errors import QueueUnknown
from sweeps.folders import Root
from sweeps.runs.expansion import Segment
from sweeps.work import lease
from sweeps.work.lease import Lease
from training.checkpoints.done import DONE
from training.checkpoints.saved import saved_among

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentEvidence:
    """What a segment's folder shows. `milestones`: samples seen of the weights that lie there."""

    is_done: bool = False
    lease: Lease | None = None
    milestones: frozenset[int] = frozenset()

    @property
    def samples(self) -> int:
        """As far as any attempt got."""
        return self.lease.attempt.samples if self.lease else 0


NOTHING_KNOWN = SegmentEvidence()


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """All that a pass knows. `queue` None: it could not be asked, so nothing may be concluded.

    `claims`: of checkpoints that are being scored, or could not be. `free_cores`: how many may be taken
    now, of `all_cores`; None where the scheduler sees to that. `room`: how many more jobs the limits on
    this user allow; None = any number, or unknown.
    """

    where: str
    history: History
    queue: Queue | None
    segments: Mapping[str, SegmentEvidence]
    scored: Set[tuple[str, str]]
    claims: Mapping[str, Claim] = field(default_factory=dict)
    free_cores: int | None = None
    all_cores: int | None = None
    room: int | None = None


def observe(root: Root, segments: Iterable[Segment], history: History, executor: Executor) -> Observed:
    """Return what is; one question to the scheduler, and no file of a finished segment is opened.

    The queue comes first: a job that ends in between has then left its marker where it is looked for.
    """
    try:
        where, queue = executor.where, executor.queue()
    except QueueUnknown as error:
        log.warning("the queue is unknown, so nothing is concluded from it: %s", error)
        return observe_files(root, segments, history)
    return replace(
        observe_files(root, segments, history),
        where=where,
        queue=queue,
        free_cores=executor.free_cores(queue),
        all_cores=executor.all_cores,
    )


def observe_files(root: Root, segments: Iterable[Segment], history: History) -> Observed:
    """Return what the files show, the queue being unknown."""
    return Observed(
        where="",
        history=history,
        queue=None,
        segments=read_segments(root, segments),
        scored=scored_pairs(root),
        claims=claims.newest(root.results),
    )


def read_segments(root: Root, segments: Iterable[Segment]) -> dict[str, SegmentEvidence]:
    """Return the evidence of each segment."""
    present = set(os.listdir(root.segments)) if root.segments.is_dir() else set()
    above = str(root.segments)  # thousands of paths are put together faster as text
    return {
        segment.key: _evidence(f"{above}/{segment.key}") if segment.key in present else NOTHING_KNOWN
        for segment in segments
    }


def _evidence(folder: str) -> SegmentEvidence:
    names = os.listdir(folder)
    milestones = frozenset(saved_among(names, "weights"))
    if DONE in names:
        return SegmentEvidence(is_done=True, milestones=milestones)
    return SegmentEvidence(lease=lease.newest(Path(folder)), milestones=milestones)
