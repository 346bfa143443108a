"""The order that a scoring process carries out. No torch: a supervisor writes it."""

from dataclasses import dataclass
from pathlib import Path

from evaluation.claims import Claim, Scorer
from sweeps.items import ScoreItem


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreOrder:
    """What one attempt is told to do.

    `scorer`: who this attempt is, unlike any other. `followable`: claims that it may follow; it keeps
    its hands off all others. `progress`: a line is appended for each checkpoint, and now and then while
    a set is decoded. `commit`: of the code that scores. When `stop_file` appears, leave after the
    checkpoint at hand.
    """

    item: ScoreItem
    root: Path
    scorer: Scorer
    followable: tuple[Claim, ...]
    progress: Path
    commit: str
    stop_file: Path
