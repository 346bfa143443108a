"""Score checkpoints in this process."""

from collections.abc import Iterable
from pathlib import Path

from conf.schema import ResourceConfig
from evaluation.claims import Scorer
from evaluation.orders import ScoreOrder
from evaluation.scoring import score_all
from sweeps.folders import Root
from sweeps.runs.expansion import Expansion, Segment
from sweeps.runs.frozen import freeze_segment
from sweeps.work.items import CheckpointEvals, ScoreItem
from training.data.generate import Generation, generate, made_with


def score(root: Root, expansion: Expansion, segments: Iterable[Segment], test_set: Path) -> None:
    """Score the ends of trained segments of a sweep on its one test set, written where it is absent."""
    ends, suite = list(segments), expansion.runs[0].config.eval
    ((name, dataset),) = suite.datasets.items()
    if made_with(test_set) is None:
        assert dataset.generator is not None
        generate(Generation(folder=test_set, generator=dataset.generator))
    for segment in expansion.segments.values():
        freeze_segment(root, segment)
    item = ScoreItem(
        checkpoints=tuple(
            CheckpointEvals(segment=one.key, samples_seen=one.end, evals=suite.evals) for one in ends
        ),
        datasets={name: str(test_set)},
        resources=ResourceConfig(),
    )
    order = ScoreOrder(
        item=item,
        root=root.path,
        scorer=Scorer(submission="s", index=0, attempt=1),
        followable=(),
        progress=root.path / "progress",
        commit="",
        stop_file=root.path / "stop",
        verdict_file=root.path / "verdict",
    )
    assert score_all(order)
