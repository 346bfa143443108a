"""Score checkpoints one after the other.

Each is claimed first (`evaluation.claims`), so any number of workers may be given the same ones. Its
rows go to the table's inbox in one file when all its evals are through, so a worker that is killed
leaves whole checkpoints or nothing. What fails on one checkpoint is noted in its claim, and reported
after the others are scored.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evaluation import claims, inbox
from evaluation.claims import Claim
from evaluation.due import Due
from evaluation.orders import ScoreOrder
from evaluation.scorer import Scorer
from sweeps.errors import ScoringFailed
from sweeps.folders import Root
from sweeps.items import CheckpointEvals

log = logging.getLogger(__name__)

ALIVE_S = 60.0


def score_all(order: ScoreOrder) -> bool:
    """Score what is not in the table yet; return False if asked to stop before the end.

    Raises:
        ScoringFailed: some checkpoints could not be scored.
    """
    progress, failures = _Progress(order.progress), list[str]()
    followed = {claim.checkpoint: claim for claim in order.followable}
    # What failed before comes last: it may well end this process.
    tasks = sorted(order.item.checkpoints, key=lambda task: task.checkpoint in followed)
    work = _Work(order, progress)
    for number, task in enumerate(tasks, start=1):
        if order.stop_file.exists():
            return False
        failures += work.try_to_score(task, followed.get(task.checkpoint), tasks[number:])
        progress.note(task.checkpoint)
    if failures:
        raise ScoringFailed(f"{len(failures)} checkpoints not scored; {'; '.join(failures)}")
    return True


class _Progress:
    """The order's progress file: one that does not grow is taken for a hang."""

    def __init__(self, path: Path) -> None:
        self._path, self._noted_at = path, time.monotonic()

    def note(self, what: str) -> None:
        """Append a line."""
        with self._path.open("a") as file:
            file.write(f"{what}\n")
        self._noted_at = time.monotonic()

    def alive(self) -> None:
        """Append a line if the last one was long ago."""
        if time.monotonic() - self._noted_at > ALIVE_S:
            self.note("decoding")


class _Work:
    """Takes what is due, and puts its rows into the table."""

    def __init__(self, order: ScoreOrder, progress: _Progress) -> None:
        root = Root(order.root)
        self._order, self._results = order, root.results
        self._due = Due(root)
        self._scorer = Scorer(root, order.item.datasets, progress.alive)

    def try_to_score(
        self, task: CheckpointEvals, before: Claim | None, later: Sequence[CheckpointEvals]
    ) -> list[str]:
        """Score a checkpoint if it is there, lacks rows and is not in other hands; return what failed.

        Args:
            task: the checkpoint.
            before: a claim that may be followed.
            later: what comes after it, of which the first one that is due is read meanwhile.
        """
        claim = _claim(self._order, task, before)
        if not any(self._due.among([task])) or not claims.take(self._results, claim):
            return []
        try:
            self._score(task, claim, later)
        except Exception as error:
            log.exception("%s cannot be scored", task.checkpoint)
            claims.note_failure(self._results, claim, repr(error))
            return [f"{task.checkpoint}: {error!r}"]
        claims.release(self._results, claim)
        return []

    def _score(self, task: CheckpointEvals, claim: Claim, later: Sequence[CheckpointEvals]) -> None:
        """Score a checkpoint on those of its evals that have no row now that it is claimed."""
        self._due.refresh()
        evals = self._due.missing(task)
        if not evals:
            return
        following = next(map(self._due.weights, self._due.among(later)), None)
        found = self._scorer.rows(self._due.weights(task), evals, following)
        commit, scorer = self._order.commit, self._order.scorer
        rows = [replace(row, checkpoint=task.checkpoint, commit=commit) for row in found]
        if not claims.is_held(self._results, claim):
            return
        name = f"{task.checkpoint}.{scorer.submission}-{scorer.index}-{scorer.attempt}"
        inbox.append(self._results, name, rows)
        log.info("scored %s", task.checkpoint)


def _claim(order: ScoreOrder, task: CheckpointEvals, before: Claim | None) -> Claim:
    return Claim(
        checkpoint=task.checkpoint,
        number=before.number + 1 if before else 1,
        tries=before.tries + 1 if before else 1,
        scorer=order.scorer,
    )
