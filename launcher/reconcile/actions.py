"""What a plan consists of. `settle` and `plan` say why; `apply` carries it out."""

from dataclasses import dataclass, replace

from launcher.machines.queue import Ended
from launcher.reconcile.unwanted import Unwanted
from sweeps.work.items import ScoreItem, WorkItem


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopt:
    """A job that the ledger did not know to exist, does."""

    submission: str
    job_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteUnlisted:
    """A good answer lacks an unresolved submission, for the first time."""

    submission: str
    asked_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveUp:
    """An unresolved submission never became a job."""

    submission: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteEnded:
    """A submission is over: none of its jobs is in the queue any more.

    `told`: what the scheduler says of each item, if it does; empty where it says nothing at all.
    """

    submission: str
    told: tuple[Ended | None, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteLeft:
    """Some items of a submission have left the queue, others have not. `told`: of those that left."""

    submission: str
    indices: tuple[int, ...]
    told: tuple[Ended | None, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteCancelled:
    """The queue showed that the user had cancelled what trains or scores segments and checkpoints."""

    keys: tuple[str, ...]
    asked_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancel:
    """Jobs, or some of the items that share them, work on what the user has cancelled."""

    unwanted: tuple[Unwanted, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Submit:
    """Hand over items of one kind and one resource shape.

    `scores`: to be handed over after trainings, to start when they are over. `after`: the submission of
    trainings whose end these items wait for.
    """

    items: tuple[WorkItem, ...]
    scores: tuple[ScoreItem, ...] = ()
    after: str = ""

    def of(self, items: tuple[WorkItem, ...]) -> "Submit":
        """Return the submission of some of these items, with the scorers of its own trainings."""
        keys = {item.key for item in items}
        kept = (
            replace(item, checkpoints=tuple(c for c in item.checkpoints if c.segment in keys))
            for item in self.scores
        )
        return replace(self, items=items, scores=tuple(item for item in kept if item.checkpoints))


Action = Adopt | NoteUnlisted | GiveUp | NoteEnded | NoteLeft | NoteCancelled | Cancel | Submit
