"""Score items in a file: evals and folders that thousands of checkpoints share stand there once."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sweeps.packed import Packer, Row, Tables, Unpacker
from sweeps.work.items import CheckpointEvals, ScoreItem


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedScores:
    """Score items; `tables` has what their rows only number."""

    items: tuple[Row, ...] = ()
    tables: Tables = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[ScoreItem]) -> "PackedScores":
        """Return some items, packed."""
        packer = Packer()
        rows = (packer.row(i, checkpoints=[packer.row(c) for c in i.checkpoints]) for i in items)
        return cls(items=tuple(rows), tables=packer.tables)

    def unpacked(self) -> tuple[ScoreItem, ...]:
        """Return the items, which share what they agree on.

        Raises:
            msgspec.DecodeError, LookupError, TypeError: they are none.
        """
        unpacker = Unpacker(self.tables)
        return tuple(_item({**row}, unpacker) for row in self.items)


def _item(row: Row, unpacker: Unpacker) -> ScoreItem:
    checkpoints = tuple(unpacker.config(c, CheckpointEvals) for c in row.pop("checkpoints"))
    return unpacker.config(row, ScoreItem, checkpoints=checkpoints)
