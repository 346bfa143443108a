"""The order that a scoring process carries out. No torch: a supervisor writes it."""

from dataclasses import dataclass
from pathlib import Path

from sweeps.items import ScoreItem


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreOrder:
    """What one attempt is told to do.

    `name`: of this attempt, unlike any other's. `progress`: a line is appended for each checkpoint.
    `commit`: of the code that scores. When `stop_file` appears, leave after the checkpoint at hand.
    """

    item: ScoreItem
    root: Path
    name: str
    progress: Path
    commit: str
    stop_file: Path
