"""Score checkpoints one after the other, each loaded once, test sets decoded once for all.

Each checkpoint is claimed first (`evaluation.claims`), so any number of workers may be given the same
ones. Its rows go to the table's inbox in one file when all its evals are through, so a worker that is
killed leaves whole checkpoints or nothing. What fails on one checkpoint is noted in its claim, and
reported after the others are scored.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from conf.schema import EvalSpec
from evaluation import claims, inbox, store
from evaluation.claims import Claim
from evaluation.measure import Flops, read_segment, trained_subject
from evaluation.orders import ScoreOrder
from evaluation.rows import Row
from evaluation.testset import TestSet, load_test_set
from sweeps.errors import ScoringFailed
from sweeps.folders import Root
from sweeps.items import CheckpointEvals
from training.checkpoints import checkpoint
from training.checkpoints.saved import weights_path

log = logging.getLogger(__name__)


def score_all(order: ScoreOrder) -> bool:
    """Score what is not in the table yet; return False if asked to stop before the end.

    Raises:
        ScoringFailed: some checkpoints could not be scored.
    """
    scorer = _Scorer(order)
    failures: list[str] = []
    followed = {claim.checkpoint: claim for claim in order.followable}
    # What failed before comes last: it may well end this process.
    tasks = sorted(order.item.checkpoints, key=lambda task: task.checkpoint in followed)
    with order.progress.open("a") as progress:
        for task in tasks:
            if order.stop_file.exists():
                return False
            failures += _try(scorer, task, _claim(order, task, followed.get(task.checkpoint)))
            progress.write(f"{task.checkpoint}\n")
            progress.flush()
    if failures:
        raise ScoringFailed(f"{len(failures)} checkpoints not scored; {'; '.join(failures)}")
    return True


def _claim(order: ScoreOrder, task: CheckpointEvals, before: Claim | None) -> Claim:
    return Claim(
        checkpoint=task.checkpoint,
        number=before.number + 1 if before else 1,
        tries=before.tries + 1 if before else 1,
        scorer=order.scorer,
    )


def _try(scorer: "_Scorer", task: CheckpointEvals, claim: Claim) -> list[str]:
    """Score a checkpoint if it is there, lacks rows and is not in other hands; return what failed."""
    results = scorer.results
    if not scorer.is_due(task) or not claims.take(results, claim):
        return []
    try:
        scorer.score(task, claim)
    except Exception as error:
        log.exception("%s cannot be scored", task.checkpoint)
        claims.note_failure(results, claim, repr(error))
        return [f"{task.checkpoint}: {error!r}"]
    claims.release(results, claim)
    return []


class _Scorer:
    """Keeps test sets in memory while checkpoints pass by."""

    def __init__(self, order: ScoreOrder) -> None:
        self._order = order
        self._root = Root(order.root)
        self._table = store.KeyReader(self._root.results)
        self._table.refresh()
        self._sets: dict[tuple[str, int], TestSet] = {}
        self._flops = Flops(self._root)

    @property
    def results(self) -> Path:
        """The folder of the results table."""
        return self._root.results

    def is_due(self, task: CheckpointEvals) -> bool:
        """Return whether a checkpoint is there and lacks rows, as far as was last known."""
        return bool(self._missing(task)) and self._weights(task).exists()

    def score(self, task: CheckpointEvals, claim: Claim) -> None:
        """Score one checkpoint on those of its evals that have no row now that it is claimed."""
        self._table.refresh()
        rows = list(self._rows(task, self._missing(task)))
        if not rows or not claims.is_held(self.results, claim):
            return
        scorer = self._order.scorer
        name = f"{task.checkpoint}.{scorer.submission}-{scorer.index}-{scorer.attempt}"
        inbox.append(self.results, name, rows)
        log.info("scored %s", task.checkpoint)

    def _missing(self, task: CheckpointEvals) -> list[EvalSpec]:
        known = self._table.keys
        return [e for e in task.evals if (task.checkpoint, e.name, e.dataset, e.version) not in known]

    def _weights(self, task: CheckpointEvals) -> Path:
        return weights_path(self._root.segment(task.segment), task.samples_seen)

    def _rows(self, task: CheckpointEvals, evals: list[EvalSpec]) -> Iterator[Row]:
        if not evals:
            return
        segment = read_segment(self._root, task.segment)
        weights, position = checkpoint.read(self._weights(task))
        subject = trained_subject(segment, weights, position, self._flops)
        for spec in evals:
            row = subject.score(spec, self._test_set(spec.dataset, subject.image_size))
            yield replace(row, checkpoint=task.checkpoint, commit=self._order.commit)

    def _test_set(self, name: str, side: int) -> TestSet:
        if (name, side) not in self._sets:
            self._sets[name, side] = load_test_set(Path(self._order.item.datasets[name]), side)
        return self._sets[name, side]
