"""The order that a scoring process carries out. No torch: a supervisor writes it."""

from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.claims import Claim, Scorer
from sweeps import durable
from sweeps.errors import DamagedFile
from sweeps.work.items import ScoreItem
from sweeps.work.packed_items import PackedScores


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreOrder:
    """What one attempt is told to do.

    `scorer`: who this attempt is, unlike any other. `followable`: claims that it may follow; it keeps
    its hands off all others. `progress`: a line is appended for each checkpoint, and now and then while
    it works. `commit`: of the code that scores. When `stop_file` appears, leave after the batch, or the
    set that is being decoded. Who leaves because a GPU failed says so in `verdict_file`.
    """

    item: ScoreItem
    root: Path
    scorer: Scorer
    followable: tuple[Claim, ...]
    progress: Path
    commit: str
    stop_file: Path
    verdict_file: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """An order's file: its item is packed, and the order is without what that says."""

    order: ScoreOrder
    packed: PackedScores


def write(path: Path, order: ScoreOrder) -> None:
    """Write an order, in which a list of evals stands once for all checkpoints that have it."""
    rest = replace(order, item=replace(order.item, checkpoints=(), datasets={}))
    file = _File(order=rest, packed=PackedScores.of([order.item]))
    durable.replace(path, durable.encode(file))


def read(path: Path) -> ScoreOrder:
    """Return an order.

    Raises:
        DamagedFile: there is none, or something else.
    """
    file = durable.read(path, _File)
    if file is None:
        raise DamagedFile(f"{path} is missing")
    (item,) = file.packed.unpacked()
    return replace(file.order, item=item)
