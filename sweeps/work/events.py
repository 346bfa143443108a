"""What completion hooks are told."""

from dataclasses import dataclass
from pathlib import Path

from conf.schema import EvalSpec, HookMoment


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something is complete. The same thing has the same `event_id`, however often it is told.

    A checkpoint has `segment`, `samples_seen`, `weights` (its file) and `evals` (what the suites of
    its runs ask for); a run has `run_id`; a sweep has its name alone. `root` holds everything.
    """

    event_id: str
    on: HookMoment
    root: Path
    sweep: str
    run_id: str | None = None
    segment: str | None = None
    samples_seen: int | None = None
    weights: Path | None = None
    evals: tuple[EvalSpec, ...] = ()
