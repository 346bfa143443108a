"""The order that a training process carries out. No torch: a supervisor writes it."""

from dataclasses import dataclass
from pathlib import Path

from sweeps.work.items import TrainItem


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOrder:
    """What one attempt is told to do.

    `folder`: of the segment. `parent_folder`: of the segment it starts from. `index_folder`: of the
    indexes of shards. `attempt`: the lease's generation. When `stop_file` appears, save and leave. Who
    gives up says why in `verdict_file`.
    """

    item: TrainItem
    folder: Path
    parent_folder: Path | None
    index_folder: Path
    attempt: int
    stop_file: Path
    verdict_file: Path
