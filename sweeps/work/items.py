"""Work items: what can be executed. Each carries all that its process needs besides the root."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from conf.schema import EvalSpec, ResourceConfig, WandbConfig
from sweeps.durable import encode
from sweeps.runs.expansion import Segment
from sweeps.runs.sources import SourceFiles


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainItem:
    """Train a segment from the state of its parent to its end.

    `sources`: as its config lists them. `sweep`, for which it is trained, and `wandb`: how it is shown.
    """

    segment: Segment
    sources: tuple[SourceFiles, ...]
    resources: ResourceConfig
    save_every_s: float
    sweep: str = ""
    wandb: WandbConfig = field(default_factory=WandbConfig)

    @property
    def key(self) -> str:
        """The name of this item: that of its segment."""
        return self.segment.key


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointEvals:
    """The evals wanted of one checkpoint."""

    segment: str
    samples_seen: int
    evals: tuple[EvalSpec, ...]

    @property
    def checkpoint(self) -> str:
        """`<segment key>@<samples_seen>`."""
        return checkpoint_id(self.segment, self.samples_seen)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreItem:
    """Score checkpoints on evals. `datasets`: name of a test set → its absolute folder."""

    checkpoints: tuple[CheckpointEvals, ...]
    datasets: dict[str, str]
    resources: ResourceConfig

    @property
    def key(self) -> str:
        """A name for exactly this set of (checkpoint, eval)."""
        pairs = [[c.checkpoint, sorted(map(eval_id, c.evals))] for c in self.checkpoints]
        return f"score-{hashlib.sha256(encode(sorted(pairs))).hexdigest()[:12]}"


WorkItem = TrainItem | ScoreItem


def checkpoint_id(segment: str, samples_seen: int) -> str:
    """Return the name of a checkpoint in tables and events."""
    return f"{segment}@{samples_seen}"


def eval_id(spec: EvalSpec) -> str:
    """Return the name of an eval, with its data set and version: `zero_shot/shapes/v1`."""
    return eval_name(spec.name, spec.dataset, spec.version)


def eval_name(name: str, dataset: str, version: int) -> str:
    """Return the name that `eval_id` gives, from its parts."""
    return f"{name}/{dataset}/v{version}"


def pairs_of(items: Iterable[CheckpointEvals]) -> set[tuple[str, str]]:
    """Return (checkpoint, eval) of everything asked for."""
    return {(item.checkpoint, eval_id(spec)) for item in items for spec in item.evals}
