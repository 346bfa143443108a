"""Milestones that have served are deleted, and what evals left half done; no others."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from conf.schema import HookMoment
from evaluation import unfinished
from evaluation.results import inbox
from evaluation.thinning import thin
from evaluation.unfinished import delete_orphans, file_name
from sweeps.errors import UsageError
from sweeps.folders import Root
from sweeps.runs import frozen
from sweeps.runs.expansion import Segment
from sweeps.work.events import Event
from sweeps.work.items import checkpoint_id
from tests.configs import launched
from tests.evaluation.results.rows import row
from training.checkpoints.done import done_path
from training.checkpoints.saved import saved_samples, weights_path

TINY = ("sweep=tiny", "samples_seen=3840")


def trained(root: Root) -> Segment:
    """Lay out the folder of the sweep's one segment as training leaves it."""
    known = frozen.load(root, *frozen.launched(root))
    assert known is not None
    (segment,) = known.expansion.segments.values()
    root.segment(segment.key).mkdir(parents=True)
    for samples in segment.milestones:
        weights_path(root.segment(segment.key), samples).write_bytes(b"12345")
    done_path(root.segment(segment.key)).touch()
    return segment


def score(root: Root, segment: Segment, samples: int, count: int | None = None) -> None:
    """Put rows of a checkpoint into the table: of all its evals, or of the first few."""
    known = frozen.load(root, "tiny")
    assert known is not None
    evals = known.expansion.runs[0].config.eval.evals[:count]
    inbox.append(
        root.results,
        f"{samples}",
        [
            row(
                checkpoint=checkpoint_id(segment.key, samples),
                eval=spec.name,
                downstream_dataset=spec.dataset,
                eval_version=spec.version,
            )
            for spec in evals
        ],
    )


def complete(root: Root) -> Event:
    return Event(event_id="sweep:tiny", on=HookMoment.sweep, root=root.path, sweep="tiny")


def test_what_is_scored_goes_and_the_last_stays(root: Path) -> None:
    under = launched(root, *TINY)
    segment = trained(under)
    assert len(segment.milestones) == 4
    for samples in segment.milestones[1:]:
        score(under, segment, samples)
    score(under, segment, segment.milestones[0], count=1)
    assert thin(complete(under), keep=2) == "milestones deleted: 1, of 0.0 GB"
    kept = saved_samples(under.segment(segment.key), "weights")
    assert kept == [m for m in segment.milestones if m != segment.milestones[1]]
    done_path(under.segment(segment.key)).unlink()
    assert thin(complete(under)) == "milestones deleted: 0, of 0.0 GB"


def test_what_no_eval_is_wanted_of_stays(root: Path) -> None:
    under = launched(root, *TINY, "eval.evals=[]")
    (sweep,), segment = frozen.launched(under), trained(under)
    said = thin(replace(complete(under), sweep=sweep))
    assert said == ("milestones deleted: 0, of 0.0 GB; segments left alone, as no eval is on them: 1")
    assert saved_samples(under.segment(segment.key), "weights") == list(segment.milestones)


def test_the_model_itself_is_not_deleted(root: Path) -> None:
    with pytest.raises(UsageError, match="keep=0: the last milestone is the model"):
        thin(complete(launched(root, *TINY)), keep=0)


def test_what_an_eval_left_half_done_goes_when_it_is_old_and_no_sweep_wants_it(root: Path) -> None:
    under = launched(root, *TINY)
    segment = trained(under)
    first, second = (checkpoint_id(segment.key, samples) for samples in segment.milestones[:2])
    score(under, segment, segment.milestones[0])
    wanted, version, scored, running, torn = (
        file_name(second, "contrastive_loss/shapes/v1"),
        file_name(second, "contrastive_loss/shapes/v2"),
        file_name(first, "contrastive_loss/shapes/v1"),
        file_name("by-hand", "fine_tuning/cars/v1"),
        f".{file_name(second, 'x')}.0a1b",
    )
    unfinished.folder(under).mkdir()
    for name in (wanted, version, scored, running, torn):
        path = unfinished.folder(under) / name
        path.touch()
        if name != running:
            os.utime(path, (0, 0))
    assert delete_orphans(under) == 3
    assert {path.name for path in unfinished.folder(under).iterdir()} == {wanted, running}
