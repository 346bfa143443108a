"""The completion hook that deletes milestones which have served. No torch."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from evaluation.results import scored_pairs
from sweeps.errors import UsageError
from sweeps.folders import Root
from sweeps.runs import frozen
from sweeps.runs.expansion import Run
from sweeps.work.events import Event
from sweeps.work.items import checkpoint_id, eval_id
from training.checkpoints.done import done_path
from training.checkpoints.saved import saved_samples, weights_path


def thin(event: Event, *, keep: int = 1) -> str:
    """Delete weights that lie in trained segments of what is complete; return what that freed.

    The last `keep` of each segment stay, and so do those that any sweep launched under the root wants
    to have scored and that lack a score, and those that no sweep wants to have scored at all. What is
    deleted cannot be scored on evals that come later.

    Raises:
        UsageError: `keep` is less than 1.
    """
    if keep < 1:
        raise UsageError(f"keep={keep}: the last milestone is the model; keep at least 1")
    root = Root(event.root)
    runs = [run for sweep in frozen.launched(root) for run in _runs_of(root, sweep)]
    complete = [run for run in _runs_of(root, event.sweep) if event.run_id in (None, run.run_id)]
    segments, wanted = _segments(complete), _wanted(runs)
    paths = list(_served(root, segments, wanted, keep))
    freed = sum(path.stat().st_size for path in paths)
    for path in paths:
        path.unlink()
    told = f"milestones deleted: {len(paths)}, of {freed / 1e9:,.1f} GB"
    unwanted = sum(not wanted[key] for key in segments)
    return f"{told}; segments left alone, as no eval is on them: {unwanted}" if unwanted else told


def _served(
    root: Root, segments: Iterable[str], wanted: Mapping[str, set[str]], keep: int
) -> Iterator[Path]:
    """Yield the weights that are not needed any more."""
    scored = scored_pairs(root)
    for key in segments:
        folder = root.segment(key)
        if not wanted[key] or not done_path(folder).exists():
            continue
        for samples in saved_samples(folder, "weights")[:-keep]:
            checkpoint = checkpoint_id(key, samples)
            if all((checkpoint, name) in scored for name in wanted[key]):
                yield weights_path(folder, samples)


def _wanted(runs: Iterable[Run]) -> dict[str, set[str]]:
    """Return the evals that runs want of the checkpoints of each segment."""
    wanted: dict[str, set[str]] = {}
    for run in runs:
        evals = {eval_id(spec) for spec in run.config.eval.evals}
        for key in run.segments:
            wanted.setdefault(key, set()).update(evals)
    return wanted


def _segments(runs: Iterable[Run]) -> list[str]:
    return list(dict.fromkeys(key for run in runs for key in run.segments))


def _runs_of(root: Root, sweep: str) -> tuple[Run, ...]:
    known = frozen.load(root, sweep)
    return known.expansion.runs if known else ()
